"""`enable`, as a function from bytes to bytes.

It takes the `sso_*` lines of a profile out of force and puts a helper line in their place (FACTS: only a profile
without any live `sso_*` key runs its `credential_process` in every client). What the user changed since an earlier
`enable` wins over what was remembered then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from credhelper.aws.config import markers
from credhelper.aws.config.added_sections import session_section, with_sections
from credhelper.aws.config.disabling import disable
from credhelper.aws.config.document import Line, LineKind, is_property_name, strip_inline_comment
from credhelper.aws.config.edit import PROCESS, Edit, Editor, Group
from credhelper.aws.config.helper_line import HelperLine, format_helper_line, parse_helper_line
from credhelper.aws.config.reader import STATIC_KEYS, ConfigFile, SessionNames, parse_config, session_of
from credhelper.errors import ConfigError
from credhelper.model import Session


def enable(
    data: bytes,
    names: Sequence[str] | None,
    *,
    helper: str,
    credentials: ConfigFile | Mapping[str, Mapping[str, str]],
    force: bool = False,
) -> Edit:
    """Give profiles a helper line.

    Args:
        data: the config file.
        names: the profiles, or None for all that can be enabled.
        helper: absolute path of the helper.
        credentials: the credentials file, whose static keys would win over the helper.
        force: also take a `credential_process` that is not ours out of force.

    Raises UsageError for a name that the config lacks, ConfigError where `helper` cannot stand in a config file, or
    where what is in the file could not be given back to the byte.
    """
    static = credentials.profiles if isinstance(credentials, ConfigFile) else credentials
    edit = _Enable(parse_config(data), helper, static, force=force).run(names)
    # Nobody can foresee each way in which a damaged file hangs together; so the promise is tried before it is given.
    if edit.changed and markers.PREFIX.encode() not in data and disable(edit.data, None).data != data:
        raise ConfigError(
            "the lines of this config hang together in a way that `disable` could not give back to the byte",
            "Look for a line that is no `key = value`, or that is indented by mistake; correct it, then try again",
        )
    return edit


class _Enable(Editor):
    def __init__(
        self, config: ConfigFile, helper: str, static: Mapping[str, Mapping[str, str]], *, force: bool
    ) -> None:
        super().__init__(config)
        self.helper = helper
        self.static = static
        self.force = force
        self.names = SessionNames(config)
        self.found: dict[str, Session] = {}
        self.used: dict[str, Session] = {}

    def helper_line(self, line: Line) -> HelperLine | None:
        return parse_helper_line(strip_inline_comment(line.value).strip(), self.helper)

    def run(self, names: Sequence[str] | None) -> Edit:
        for name in self.chosen(names):
            self.profile(name, asked_for=names is not None)
        new = [session for session in self.used.values() if session.legacy]
        self.edit.data = with_sections(self.render(), [session_section(session) for session in new])
        self.edit.added_sessions = [session.name for session in new]
        for session in self.used.values():
            if not session.legacy and not self.config.sessions[session.name].get("sso_registration_scopes"):
                self.edit.warnings.append(
                    f"[sso-session {session.name}] has no sso_registration_scopes: `aws sso login` does not ask "
                    "for a token that can be renewed; `credhelper login` does"
                )
        return self.edit

    def profile(self, name: str, *, asked_for: bool) -> None:
        groups = self.groups(name)
        leave_out = self.edit.refused if asked_for else self.edit.unchanged
        has_sso = any(group.live or group.old for group in groups)
        if not has_sso:
            if any(group.added or group.ours for group in groups):
                self.refresh(name, groups)
            else:
                leave_out.append((name, _no_sso(self.config.profiles.get(name, {}))))
            return
        reason = self.obstacle(groups)
        if reason:
            self.edit.refused.append((name, reason))
            return
        if self.in_order(groups):
            self.refresh(name, groups)
            return
        plan = self.plan(groups)
        if isinstance(plan, str):
            leave_out.append((name, plan))
            return
        changed = False
        for group, line in plan:
            self.used[line.session] = self.found[line.session]
            changed |= self.rewrite(group, line)
            if len(line.account_id) != 12 or not line.account_id.isdigit():
                self.edit.warnings.append(f"{name}: {line.account_id!r} is not a 12-digit account id")
        self.done(name, changed=changed)

    def done(self, name: str, *, changed: bool) -> None:
        if changed:
            self.edit.changed.append(name)
        else:
            self.edit.unchanged.append((name, "it is enabled already"))
        self.warn_of_static(name)

    def in_order(self, groups: list[Group]) -> bool:
        """Whether the profile is enabled, and nothing has happened since that calls for more than a new path."""
        if any(group.live or group.stray or group.foreign for group in groups):
            return False
        lines = [at for group in groups for at in (*group.ours, *(at for _, at in group.added))]
        helpers = [self.helper_line(self.lines[at]) for at in lines]
        return bool(helpers) and all(helper and self.session(helper.session) for helper in helpers)

    def session(self, name: str) -> Session | None:
        """The session of the `[sso-session]` of this name, or None where that is missing or says too little."""
        return session_of(name, self.config.sessions.get(name, {}))

    def plan(self, groups: list[Group]) -> list[tuple[Group, HelperLine]] | str:
        """What each group's helper line shall say, or why there can be none.

        To the AWS CLI each group is a whole profile and one of them counts; to other clients all groups together are
        one, only that `[default]` counts for nothing beside `[profile default]`. Both must come to the same.
        """
        counting = [group for group in groups if group.kind == "profile"] or groups
        if not any(group.live or group.old for group in counting):
            return "[default] holds its sso_* keys, but [profile default] is there too; make one of them"
        everything = _remembered(counting, self)
        whole = self.target(everything)
        if isinstance(whole, str):
            return whole
        found: list[tuple[Group, HelperLine]] = []
        for group in groups:
            if not (group.live or group.old or group.foreign or group.ours):
                continue
            line = self.target(everything | _remembered([group], self))
            if isinstance(line, str):
                return line
            if group in counting and line != whole:
                return "several headers of it say different things; make them one section"
            found.append((group, line))
        return found

    def obstacle(self, groups: list[Group]) -> str | None:
        if any("role_arn" in group.values for group in groups):
            return "it assumes a role (role_arn), which wins over its sso_* keys and over the helper"
        if not self.force and any(self.lines[at].value for group in groups for at in group.foreign):
            return "it has a credential_process of its own; --force takes it out of force until `disable`"
        inherited = [key for key in self.config.inherited if key.startswith("sso_")]
        # Once the profile's own keys are out of force, an inherited account or role is what the AWS CLI would take.
        if inherited and (not self.force or {"sso_account_id", "sso_role_name"} & set(inherited)):
            return f"[DEFAULT] gives {inherited[0]} to every profile in the AWS CLI, which wins over the helper"
        return None

    def target(self, values: Mapping[str, str]) -> HelperLine | str:
        """What the helper line shall say, or why there can be none."""
        account, role, named = (values.get(key, "") for key in ("sso_account_id", "sso_role_name", "sso_session"))
        if not account or not role:
            return "it names no account or no role (sso_account_id, sso_role_name)"
        if any("\n" in text for text in (account, role, named)):
            return "an sso_* value spans several lines"
        if named:
            session = self.session(named)
            if session is None:
                there = named in self.config.sessions
                return f"[sso-session {named}] " + ("lacks sso_start_url or sso_region" if there else "is not there")
        else:
            start_url, region = values.get("sso_start_url", ""), values.get("sso_region", "")
            if not start_url or not region or "\n" in start_url + region:
                return "it names neither a session nor a start URL with its region"
            session = self.names.find(start_url, region)
        self.found[session.name] = session
        return HelperLine(self.helper, session.name, account, role)

    def rewrite(self, group: Group, line: HelperLine) -> bool:
        """Take the group's lines out of force and make it say `line`. Returns whether that changes anything."""
        going = [*group.live, *group.foreign, *group.ours]
        self.drop(group.old, {self.lines[at].key for at in going})
        for at in group.stray:
            self.out[at] = b""
        for start in going:
            self.out[start] = markers.out_of_force(self.lines[start].raw)
            self.each_continuation(start)
        if group.added:
            set_now = [self.set_helper(at, line) for _, at in group.added]
            return bool(going or group.stray) or any(set_now)
        place = min(group.live or [old.at for old in group.old] or [*group.foreign, *group.ours])
        old_text = next((old.text for old in group.old if old.at == place), self.lines[place].text)
        indent = old_text[: len(old_text) - len(old_text.lstrip())]
        eol = self.eol_at(place)
        text = f"{indent}{PROCESS} = {format_helper_line(line)}"
        self.before[place] = markers.ADDED.encode() + eol + text.encode("utf-8", "surrogateescape") + eol
        return True

    def each_continuation(self, start: int) -> None:
        for at in range(start + 1, len(self.lines)):
            kind = self.lines[at].kind
            if kind in (LineKind.PROPERTY, LineKind.SECTION):
                return
            if kind is LineKind.CONTINUATION:
                self.out[at] = markers.out_of_force(self.lines[at].raw)

    def set_helper(self, at: int, line: HelperLine) -> bool:
        old = self.lines[at]
        text = f"{old.indent}{PROCESS} = {format_helper_line(line)}".encode("utf-8", "surrogateescape") + old.eol
        changed = self.helper_line(old) != line
        if changed:
            self.out[at] = text
        return changed

    def refresh(self, name: str, groups: list[Group]) -> None:
        """An enabled profile: let its helper line name the helper where it now lies."""
        changed = False
        for group in groups:
            for _, at in group.added:
                line = self.helper_line(self.lines[at])
                if line is not None:
                    changed |= self.set_helper(
                        at, HelperLine(self.helper, line.session, line.account_id, line.role_name)
                    )
        self.done(name, changed=changed)

    def warn_of_static(self, name: str) -> None:
        own = self.config.profiles.get(name, {})
        for where, values in (("the credentials file", self.static.get(name, {})), ("the config", own)):
            if any(key in values for key in STATIC_KEYS[:2]):
                self.edit.warnings.append(
                    f"{name}: {where} holds an access key for this profile, which clients take instead of the helper"
                )


def _no_sso(values: Mapping[str, str]) -> str:
    if "role_arn" in values:
        return "it assumes a role from another profile; enable that one"
    if PROCESS in values:
        return "it has a credential_process of its own"
    return "it does not use IAM Identity Center (no sso_* keys)"


def _remembered(groups: list[Group], editor: Editor) -> dict[str, str]:
    """What the groups say about Identity Center: out of force, then the helper line, then in force."""
    values: dict[str, str] = {}
    for group in groups:
        values |= {key: value for key, value in markers.old_values(group.old).items() if is_property_name(key)}
    for group in groups:
        for _, at in group.added:
            helper = editor.helper_line(editor.lines[at])
            if helper is None:
                continue
            values |= {"sso_account_id": helper.account_id, "sso_role_name": helper.role_name}
            if values.get("sso_session") or not (values.get("sso_start_url") and values.get("sso_region")):
                values["sso_session"] = helper.session
    for group in groups:
        values |= {key: value for key, value in group.values.items() if key.startswith("sso_")}
    return values
