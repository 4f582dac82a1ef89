"""The start URL in whatever a person pastes: the address of any page of an access portal, or a mere directory id.

Forms of addresses: AWS's documentation of the access portal (also dual-stack, GovCloud and China), and the hosts
that AWS CLI 2.38.5 and the SDK for .NET read a region from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from credhelper.aws.browser import is_aws_page
from credhelper.aws.config import derive_session_name
from credhelper.errors import UsageError
from credhelper.terminal import printable

REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}")

_EXAMPLE = "https://d-1234567890.awsapps.com/start"
_LABEL = r"(?P<label>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
_NAMED_REGION = rf"(?P<region>{REGION.pattern})"
# Hosts of portals: pattern, what the start URL has for a path, partition (None: that of the region, else `aws`).
# A path in angle brackets is the part of the pasted path that tells one portal from another.
_PORTALS = tuple(
    (re.compile(pattern), path, partition)
    for pattern, path, partition in (
        (rf"start\.(?:{_NAMED_REGION}\.)?us-gov-home\.awsapps\.com", "/directory/<id>", "aws-us-gov"),
        (rf"start\.(?:{_NAMED_REGION}\.)?home\.awsapps\.cn", "/directory/<id>", "aws-cn"),
        (rf"{_LABEL}\.awsapps\.com", "/start", "aws"),
        (rf"{_LABEL}\.portal\.{_NAMED_REGION}\.app\.aws", "", None),
        (rf"{_LABEL}\.{_NAMED_REGION}\.portal\.amazonaws\.com", "", None),
        (rf"{_LABEL}\.portal\.{_NAMED_REGION}\.app\.amazonwebservices\.com\.cn", "", "aws-cn"),
        (rf"{_LABEL}\.{_NAMED_REGION}\.portal\.amazonaws\.com\.cn", "", "aws-cn"),
        (rf"{_LABEL}\.portal\.{_NAMED_REGION}\.api\.amazonwebservices\.eu", "", "aws-eusc"),
        (rf"{_LABEL}\.{_NAMED_REGION}\.portal\.amazonaws\.eu", "", "aws-eusc"),
        (r"(?:[a-z0-9-]+\.)?identitycenter\.amazonaws\.com", "/<id>", "aws"),
        (r"(?:[a-z0-9-]+\.)?identitycenter\.us-gov\.amazonaws\.com", "/<id>", "aws-us-gov"),
        (r"(?:[a-z0-9-]+\.)?identitycenter\.amazonaws\.com\.cn", "/<id>", "aws-cn"),
        (r"(?:[a-z0-9-]+\.)?identitycenter\.amazonaws\.eu", "/<id>", "aws-eusc"),
    )
)
_ADDRESS = re.compile(r"\bhttps?://\S+", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_USER = re.compile(r"[^/\s]*@")
_BRACKETS = str.maketrans("", "", "<>\"'`")
_SEPARATORS = re.compile(r"[/?#&]|%23|%2F", re.IGNORECASE)
_BUILDER_ID = "view"
_PARTITIONS = {"us-gov": "aws-us-gov", "cn": "aws-cn", "eusc": "aws-eusc"}
_MAX_TEXT = 16 * 1024


@dataclass(frozen=True, slots=True)
class StartUrl:
    """What a pasted text says of an Identity Center.

    Attributes:
        start_url: in its usual form, without a slash or `#` at its end.
        session_name: what a session of this start URL is called unless somebody says otherwise.
        region: where the address names it.
        partition: the part of AWS that the address belongs to, as botocore names it.
    """

    start_url: str
    session_name: str
    region: str | None = None
    partition: str = "aws"


def read_start_url(text: str) -> StartUrl:
    """Find the start URL in the address of any page of an access portal, in a directory's id or in an alias.

    Raises UsageError, with what to paste instead, where `text` names no access portal of AWS's.
    """
    within = _ADDRESS.search(text[:_MAX_TEXT])  # a sentence of a mail may have been pasted with it
    pasted = (within[0] if within else text[:_MAX_TEXT]).translate(_BRACKETS).strip().rstrip(".,;")
    if not pasted:
        raise UsageError("no start URL is given", f"It looks like {_EXAMPLE}")
    if _WORD.fullmatch(pasted):
        return _of_word(pasted.lower())
    address = _with_scheme(pasted)
    try:
        parts = urlsplit(address)
        host, port, named = (parts.hostname or "").rstrip("."), parts.port, parts.username is not None
    except ValueError:
        raise _not_an_address(pasted) from None
    if named:  # which is not repeated: there may be a password in it
        raise UsageError("an address of AWS's has no user name in it", "Leave out what stands before the @")
    if parts.scheme != "https" or not host or any(char.isspace() for char in address):
        raise _not_an_address(pasted)
    for pattern, path, partition in _PORTALS:
        found = pattern.fullmatch(host)
        if found is not None and port in {None, 443}:
            _check_not_builder_id(host)
            region = found.groupdict().get("region")
            url = f"https://{host}{_filled(path, parts.path + '#' + parts.fragment, pasted)}"
            return StartUrl(url, derive_session_name(url), region, partition or partition_of(region))
    raise _elsewhere(address, host)


def partition_of(region: str | None) -> str:
    """The partition that a region's name tells, `aws` where it tells none."""
    for prefix, partition in _PARTITIONS.items():
        if region is not None and region.startswith(f"{prefix}-"):
            return partition
    return "aws"


def _of_word(word: str) -> StartUrl:
    """A directory id, an alias, or an instance's id, which has no portal of its own without a region."""
    if word.startswith("ssoins-"):
        url = f"https://identitycenter.amazonaws.com/{word}"
    else:
        url = f"https://{word}.awsapps.com/start"
        _check_not_builder_id(f"{word}.awsapps.com")
    return StartUrl(url, derive_session_name(url))


def _with_scheme(pasted: str) -> str:
    """The address with https: what is written down without a scheme, or with http, is meant so too."""
    scheme, separator, rest = pasted.partition("://")
    if not separator:
        return f"https://{pasted.removeprefix('//')}"
    return f"https://{rest}" if scheme.lower() in {"http", "https"} else pasted


def _filled(path: str, pasted_path: str, pasted: str) -> str:
    """The start URL's path. Raises UsageError where what tells one portal from another is missing."""
    fixed, found, _ = path.partition("<id>")
    if not found:
        return path
    # A `#` or `/` may have been written as an escape by whatever it was copied from.
    segments = [segment for segment in _SEPARATORS.split(pasted_path) if segment]
    before = [segment for segment in fixed.split("/") if segment]
    wanted = segments[len(before) : len(before) + 1]
    if segments[: len(before)] != before or not wanted or not _ID.fullmatch(wanted[0]):
        raise UsageError(
            f"that address lacks the directory: {_shortened(pasted)}", f"It ends in {fixed}d-1234567890 or the like"
        )
    return fixed + wanted[0]


def _check_not_builder_id(host: str) -> None:
    if host == f"{_BUILDER_ID}.awsapps.com":
        raise UsageError(
            "that is the page of AWS Builder ID, which gives access to no account",
            f"Paste your organization's own, such as {_EXAMPLE}",
        )


def _not_an_address(pasted: str) -> UsageError:
    return UsageError(f"that is no https address: {_shortened(pasted)}", f"A start URL looks like {_EXAMPLE}")


def _elsewhere(address: str, host: str) -> UsageError:
    if is_aws_page(address.split("#", 1)[0].split("?", 1)[0]) or _is_of_aws(host):
        return UsageError(
            f"{printable(host[:100])} is a page of AWS's, but not the access portal",
            f"Paste the address of the page that lists your accounts; it looks like {_EXAMPLE}",
        )
    return UsageError(
        f"{printable(host[:100])} is no access portal of AWS's",
        "If it is your company's own address of it: open it in a browser, and paste the address that it ends at",
    )


def _is_of_aws(host: str) -> bool:
    return f".{host}".endswith((".amazonaws.com", ".aws.amazon.com", ".amazonaws.com.cn", ".amazonaws.cn", ".aws"))


def _shortened(text: str) -> str:
    """For a message, without what stands before an `@`: there may be a password in it."""
    text = _USER.sub("", text)
    return printable(text[:80]) + ("…" if len(text) > 80 else "")
