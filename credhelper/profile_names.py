"""Names for profiles: a small template language, and one name for each account and role that a person has.

A template is text with fields in braces, each with filters behind bars: `{account_name|slug}.{role}`. It looks up
names in two tables of this file and nothing else, so that one from an untrusted place can do no more than name.

Whatever an account is called, the name holds only `A-Za-z0-9._@+:/-` and begins with a letter, a digit or `_`: that
can stand in a config's header for every SDK, and on a command line without quotes.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from credhelper.errors import UsageError
from credhelper.names import nearest

DEFAULT_TEMPLATE = "{account_name|slug}.{role}"
# Longer ones are cut, and end in a digest.
MOST = 100

_LITERAL = re.compile(r"[A-Za-z0-9._@+:/-]+")
_PART = re.compile(r"(?P<field>\{(?P<inner>[^{}]*)\})|(?P<text>[^{}]+)")
_UNUSUAL = re.compile(r"[^A-Za-z0-9._@+]+")  # dashes too, so that `a - b` has one
_NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Letters that Unicode does not take apart.
_PLAIN_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ð": "d", "ı": "i"}
)
# What `[profile …]` can hold for every SDK; that for JavaScript is the strictest.
_FOR_ALL = re.compile(r"[A-Za-z0-9_.@%+:/-]+")
# What ends or escapes something in a header, for one parser or another.
_TROUBLE = re.compile(r"[\[\]\"'\\#;]|\s{2}")
# Hexadecimal digits of a digest, the fewest that tell apart.
_DIGITS = (8, 16, 64)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a profile is for: one role in one account of one session."""

    session: str
    account_id: str
    account_name: str
    account_email: str
    role: str


_FIELDS: Mapping[str, Callable[[Subject], str]] = MappingProxyType(
    {
        "account_name": lambda subject: subject.account_name,
        "account_id": lambda subject: subject.account_id,
        "account_email": lambda subject: subject.account_email,
        "role": lambda subject: subject.role,
        "session": lambda subject: subject.session,
    }
)


def _slug(text: str) -> str:
    return _NOT_IN_SLUG.sub("-", _ascii(text).lower()).strip("-")


# Filters as they are, then those with a text or a number behind a colon.
_FILTERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "slug": _slug,
        "dashed": lambda text: _slug(_WORDS.sub("-", text)),
        "lower": str.lower,
        "upper": str.upper,
        "before_at": lambda text: text.rpartition("@")[0] or text,
        "after_at": lambda text: text.rpartition("@")[2],
        "before_plus": lambda text: text.rpartition("@")[0].partition("+")[0] or text.partition("+")[0],
        "after_plus": lambda text: (text.rpartition("@")[0] or text).partition("+")[2],
        "before_dot": lambda text: text.partition(".")[0],
    }
)
_FILTERS_WITH: Mapping[str, Callable[[str, str], str]] = MappingProxyType(
    {
        "remove": lambda text, what: text.replace(what, ""),
        "first": lambda text, number: text[: int(number)],
        "last": lambda text, number: text[-int(number) :],
    }
)
_NUMBERED = ("first", "last")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    filters: tuple[tuple[str, str], ...]  # each with what stands behind its colon

    def value(self, subject: Subject) -> str:
        text = _FIELDS[self.name](subject)
        for name, argument in self.filters:
            text = _FILTERS[name](text) if name in _FILTERS else _FILTERS_WITH[name](text, argument)
        return _clean(text) or _clean(self._instead(subject))

    def _instead(self, subject: Subject) -> str:
        """For what has no Latin letter or digit in it, or nothing at all."""
        return self.name if self.name in ("role", "session") else subject.account_id or "account"


@dataclass(frozen=True, slots=True)
class Template:
    """A template that has been understood. `text` is what a person wrote."""

    text: str
    _parts: tuple[str | _Field, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises UsageError, with the place and the remedy, for what is no template."""
        parts: list[str | _Field] = []
        at = 0
        while at < len(text):
            found = _PART.match(text, at)
            if found is None:
                raise _wrong(text, at, "a brace stands alone", "Write fields as {account_name}")
            if found["field"]:
                parts.append(_field(text, at + 1, found["inner"]))
            else:
                parts.append(_literal(text, at, found["text"]))
            at = found.end()
        if not any(isinstance(part, _Field) for part in parts):
            raise UsageError(
                f"the template {text!r} has no field, so all profiles would have one name",
                f"Write one like {DEFAULT_TEMPLATE!r}",
            )
        if isinstance(parts[0], str) and not (parts[0][0].isalnum() or parts[0][0] == "_"):
            raise _wrong(text, 0, f"a name cannot begin with {parts[0][0]!r}", "Begin with a letter, digit or field")
        return cls(text, tuple(parts))

    def render(self, subject: Subject) -> str:
        """The name of a subject, were it the only one."""
        name = "".join(part if isinstance(part, str) else part.value(subject) for part in self._parts)
        return name if len(name) <= MOST else f"{name[: MOST - 9]}-{_digest(name)[:8]}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which subjects are wanted: those that any of `include` fits (all, where there is none) and none of `exclude`.

    Globs, compared without case with the account's name, id and mail address, the role, and the profile's name.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, subject: Subject, name: str) -> bool:
        texts = (subject.account_name, subject.account_id, subject.account_email, subject.role, name)
        folded = [text.casefold() for text in texts]

        def fits(globs: Iterable[str]) -> bool:
            return any(fnmatch.fnmatchcase(text, glob.casefold()) for glob in globs for text in folded)

        return (not self.include or fits(self.include)) and not fits(self.exclude)


def assign(
    subjects: Iterable[Subject],
    template: Template,
    taken: Collection[str],
    known: Mapping[Subject, str] = MappingProxyType({}),
) -> dict[Subject, str]:
    """A name for each subject, no two alike, not even but for their case.

    Where several come to one name, or one that is taken, all of them (and not just the later ones, so that a name
    means the same on every machine) get the account's id behind it, or the role, whatever tells them apart; a digest
    where neither does. The order of the subjects plays no part.

    Args:
        taken: names that belong to others.
        known: subjects that have a name already. They keep it, whatever else comes.
    """
    wanted = list(dict.fromkeys(subjects))
    used = {folded(name) for name in (*taken, *known.values(), "default")}
    names = {subject: template.render(subject) for subject in wanted if subject not in known}
    groups: dict[str, list[Subject]] = {}
    for subject, name in names.items():
        groups.setdefault(folded(name), []).append(subject)
    alternatives = {
        subject: _alternatives(names[subject], subject, group) for group in groups.values() for subject in group
    }
    while True:
        holders: dict[str, list[Subject]] = {}
        for subject, name in names.items():
            holders.setdefault(folded(name), []).append(subject)
        clashing = [subject for name, group in holders.items() if len(group) > 1 or name in used for subject in group]
        further = {subject: other for subject in clashing if (other := next(alternatives[subject], None)) is not None}
        if not further:
            break
        names |= further
    return {subject: known.get(subject) or names[subject] for subject in wanted}


def trouble(name: str) -> str | None:
    """Why a person's own choice cannot be a profile's name, or None where it can."""
    if not name or name != name.strip():
        return "it is empty, or begins or ends with a blank"
    if name.startswith("-"):
        return "it begins like an option"
    bad = next((char for char in name if not char.isprintable()), None) or _TROUBLE.search(name)
    if bad is None:
        return None
    shown = bad if isinstance(bad, str) else bad[0]
    return "it has two blanks in a row" if shown == "  " else f"{shown!r} cannot stand in it"


def unread_by(name: str) -> str | None:
    """Who passes a profile of this name over; None where every SDK can read it."""
    if _FOR_ALL.fullmatch(name):
        return None
    return "CDK, Terraform and the SDKs for JavaScript and Go" if " " in name else "CDK and the SDK for JavaScript"


def folded(name: str) -> str:
    """What two names have in common that a person could take for one another."""
    return unicodedata.normalize("NFKC", name).casefold()


def _alternatives(name: str, subject: Subject, group: list[Subject]) -> Iterator[str]:
    """Names for one of several subjects that came to the same, one after the other until one is free."""
    accounts = {other.account_id for other in group}
    telling = []
    if len({other.session for other in group}) > 1:
        telling.append(subject.session)
    if len(accounts) > 1 or len(group) == 1:
        telling.append(subject.account_id)
    if len({(other.account_id, other.role) for other in group}) > len(accounts):
        telling.append(subject.role)
    identity = (subject.session, subject.account_id, subject.role)
    yield _with(name, telling)
    yield _with(name, identity)
    for digits in _DIGITS:
        yield _with(name, [_digest("\0".join(identity))[:digits]])


def _with(name: str, telling: Iterable[str]) -> str:
    end = "".join(f"-{_clean(text)}" for text in telling)
    return name[: max(1, MOST - len(end))] + end


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _ascii(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.translate(_PLAIN_LETTERS))
    return "".join(char if char.isascii() else "" if unicodedata.combining(char) else " " for char in apart)


def _clean(text: str) -> str:
    return _UNUSUAL.sub("-", _ascii(text)).strip("-.@+")


def _literal(text: str, at: int, part: str) -> str:
    good = _LITERAL.match(part)
    length = good.end() if good else 0
    if length < len(part):
        raise _wrong(
            text, at + length, f"{part[length]!r} cannot stand in a name", "Letters, digits and . _ - @ + : / can"
        )
    return part


def _field(text: str, at: int, inner: str) -> _Field:
    name, *rest = inner.split("|")
    if name not in _FIELDS:
        raise _wrong(text, at, f"there is no field {{{name}}}", _choice(name, _FIELDS, "fields"))
    filters = []
    at += len(name)
    for each in rest:
        at += 1
        word, colon, argument = each.partition(":")
        if word not in _FILTERS and word not in _FILTERS_WITH:
            raise _wrong(text, at, f"there is no filter {word!r}", _choice(word, _all_filters(), "filters"))
        if bool(colon) != (word in _FILTERS_WITH) or (colon and not argument):
            said = f"{word!r} " + ("takes nothing behind it" if word in _FILTERS else "needs something behind it")
            raise _wrong(text, at, said, f"Write |{_shown(word)}")
        if word in _NUMBERED and not (argument.isascii() and argument.isdigit() and 0 < int(argument[:4]) <= MOST):
            raise _wrong(text, at, f"{word!r} needs a number from 1 to {MOST}", f"Write |{word}:4")
        filters.append((word, argument))
        at += len(each)
    return _Field(name, tuple(filters))


def _all_filters() -> list[str]:
    return [*_FILTERS, *_FILTERS_WITH]


def _shown(filter_: str) -> str:
    if filter_ in _FILTERS:
        return filter_
    return f"{filter_}:{'4' if filter_ in _NUMBERED else 'TEXT'}"


def _choice(name: str, known: Collection[str], what: str) -> str:
    near = nearest(name, known)
    listed = ", ".join(_shown(other) if what == "filters" else other for other in known)
    return f"{f'Did you mean {near[0]}? ' if near else ''}The {what} are {listed}"


def _wrong(text: str, at: int, what: str, remedy: str) -> UsageError:
    return UsageError(f"the template {text!r} is wrong at character {at + 1}: {what}", remedy)
