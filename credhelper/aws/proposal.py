"""From what AWS lists and what the config holds: which profiles to write and to rename, and which lost their role.

Pure. Names are given to all accounts and roles before any is left out, so that no glob changes a name. A profile that
was written keeps its name whatever comes later, unless the template is another one now; the person's own profiles,
and those written ones that were changed by hand, are taken for what they are and never touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from credhelper.aws.config.authoring import NewProfile, WrittenProfile, marked_profiles
from credhelper.aws.config.reader import ConfigFile, parse_config, profiles_of, session_of
from credhelper.aws.directory import Directory
from credhelper.aws.profile_styles import Style
from credhelper.model import Profile, Session
from credhelper.profile_names import Subject, Template, assign, folded

_Target = tuple[str, str]  # account id and role


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be written and removed.

    Attributes:
        add: the profiles that are wanted, there already or not.
        renamed: old and new names of profiles of ours; the old ones are to be removed.
        lost: names of profiles of ours whose role the person does not have any more.
        why_kept: why it is not known which those are; None where it is.
        left_out: how many roles the globs leave out.
    """

    add: tuple[NewProfile, ...]
    renamed: Mapping[str, str]
    lost: tuple[str, ...]
    why_kept: str | None
    left_out: int


def propose(
    directory: Directory,
    session: Session,
    data: bytes,
    style: Style,
    *,
    taken: Collection[str] = (),
    rename: bool = False,
    set_region: bool = False,
    set_output: bool = False,
) -> Proposal:
    """What the config should say of this session's accounts and roles.

    Args:
        data: the config file.
        taken: names of other profiles, those in the credentials file for instance.
        rename: also give names by this template to profiles that have one by another.
        set_region, set_output: also in profiles that are there, which else keep theirs.

    Raises UsageError where the style's template is none.
    """
    template = Template.parse(style.template)
    config = parse_config(data)
    marked = {name: profile for name, profile in marked_profiles(data).items() if _is_of(profile, session, config)}
    subjects = _subjects(directory, session)
    by_template: dict[_Target, WrittenProfile] = {}
    for written in marked.values():
        if not written.own_name:
            by_template.setdefault((written.account_id, written.role_name), written)
    own = {profile.name: profile for profile in profiles_of(config, {}) if profile.name not in marked}
    known, free = _known(subjects, by_template, own, session, template, rename=rename)
    others = [name for name in (*config.profiles, *taken) if name not in free]
    names = assign(subjects, template, set(others) - set(known.values()), known)
    selection = style.selection
    chosen = {
        subject: name
        for subject, name in names.items()
        if selection.takes(subject, name) or (rename and _target(subject) in by_template)
    }
    add, renamed = [], {}
    for subject, name in chosen.items():
        now = by_template.get(_target(subject))
        if now is not None and name != now.name:
            renamed[now.name] = name
        add.append(
            NewProfile(
                name,
                session,
                subject.account_id,
                subject.role,
                style.region if now is None or set_region else now.region,
                style.output if now is None or set_output else now.output,
            )
        )
    add.sort(key=lambda profile: (profile.name.casefold(), profile.name))
    why_kept = _why_kept(directory)
    there = {_target(subject) for subject in subjects}
    # AWS lists no account without a role: where it gives none, it would not say which, for the moment perhaps.
    unsaid = {account.account_id for account in directory.accounts if not account.roles}
    lost = [
        written.name
        for written in marked.values()
        if written.untouched
        and (written.account_id, written.role_name) not in there
        and written.account_id not in unsaid
    ]
    return Proposal(tuple(add), renamed, () if why_kept else tuple(lost), why_kept, len(names) - len(chosen))


def _subjects(directory: Directory, session: Session) -> list[Subject]:
    return [
        Subject(session.name, account.account_id, account.name, account.email, role)
        for account in directory.accounts
        for role in account.roles or ()
    ]


def _known(
    subjects: Iterable[Subject],
    by_template: Mapping[_Target, WrittenProfile],
    own: Mapping[str, Profile],
    session: Session,
    template: Template,
    *,
    rename: bool,
) -> tuple[dict[Subject, str], set[str]]:
    """Names that subjects have already, and names that are given up for others."""
    known: dict[Subject, str] = {}
    free: set[str] = set()
    alike = {folded(name): profile for name, profile in own.items()}
    for subject in subjects:
        written = by_template.get(_target(subject))
        if written is not None and (not rename or not written.untouched):
            known[subject] = written.name
            continue
        if written is not None:
            free.add(written.name)
        # A profile of the person's own that is just what would be written.
        mine = alike.get(folded(template.render(subject)))
        if mine is not None and _is_for(mine, subject, session):
            known[subject] = mine.name
    return known, free


def _is_for(profile: Profile, subject: Subject, session: Session) -> bool:
    own = profile.session
    # One center in two of its regions is two sessions: the profiles of the one are none of the other's.
    same = own is not None and (own.same_start, own.region) == (session.same_start, session.region)
    return same and (profile.account_id, profile.role_name) == _target(subject)


def _target(subject: Subject) -> _Target:
    return subject.account_id, subject.role


def _is_of(written: WrittenProfile, session: Session, config: ConfigFile) -> bool:
    there = session_of(written.session, config.sessions.get(written.session, {}))
    return there is not None and (there.same_start, there.region) == (session.same_start, session.region)


def _why_kept(directory: Directory) -> str | None:
    """Why nobody can say which roles were lost: a list with gaps, or one empty by mistake, must cost nothing."""
    if not directory.complete or any(account.roles is None for account in directory.accounts):
        return "not all accounts and roles could be listed"
    if not any(account.roles for account in directory.accounts):
        return "AWS lists no account with a role for you"
    return None
