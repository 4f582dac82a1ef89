"""`credhelper whoami`: which identity a profile has, asked of AWS itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from credhelper.aws.readable import check_config, check_readable
from credhelper.aws.targets import is_left_out, resolve_session
from credhelper.aws.tokens import TokenCache
from credhelper.aws.world import World
from credhelper.cli import complain, no_core_dumps
from credhelper.cli.notices import why_unparsable
from credhelper.errors import ConfigError, CredhelperError, LoginNeeded, UsageError
from credhelper.names import command_for, login_command
from credhelper.paths import Paths, chosen_profile
from credhelper.terminal import printable

_RESERVED = re.compile(r"AWSReservedSSO_(?P<role>.+)_[0-9a-f]{16}")
# Botocore's errors that end with a login, by class name: they come from its own SSO provider.
_LOGIN_ERRORS = {
    "UnauthorizedSSOTokenError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "PendingAuthorizationExpiredError",
}
# How sts begins where a request's date is five minutes away from its own.
_OTHER_TIME = ("Signature expired: ", "Signature not yet current: ")
_OFFLINE_ERRORS = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProxyConnectionError",
    "SSLError",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer; `role` and `person` are None where the ARN names none."""

    profile: str | None
    account: str
    role: str | None
    person: str | None
    arn: str


@click.command("whoami")
@click.argument("profile", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(profile: str | None, *, as_json: bool) -> None:
    """Ask AWS which identity PROFILE has (default: $AWS_PROFILE, else `default`)."""
    no_core_dumps()
    with _loopback_without_proxy():
        identity = ask(profile, os.environ)
    if as_json:
        click.echo(json.dumps(asdict(identity), indent=2))
        return
    for name, value in asdict(identity).items():
        click.echo(f"{name + ':':9}{printable(value) if value else '-'}")


@contextlib.contextmanager
def _loopback_without_proxy() -> Iterator[None]:
    """Let boto3 reach what is on this machine directly, as the daemon does; it would ask the proxy for that too."""
    before = os.environ.get("no_proxy")
    named = before or os.environ.get("NO_PROXY", "")
    if named.strip() != "*":
        os.environ["no_proxy"] = ",".join(filter(None, (named, "localhost", "127.0.0.1", "[::1]")))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("no_proxy", None)
        else:
            os.environ["no_proxy"] = before


def ask(profile: str | None, environ: Mapping[str, str]) -> Identity:
    """Call `sts get-caller-identity` as `profile`, through boto3 as any program would.

    Raises LoginNeeded, UsageError for a profile that is not there, ConfigError, CredhelperError.
    """
    name = profile or chosen_profile(environ)
    paths = Paths.of(environ)
    _check_files(paths, environ, name or "default")
    import boto3  # noqa: PLC0415 - costs 0.2 s
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from credhelper.aws import deadlines  # noqa: PLC0415

    keys_in_the_way = bool(environ.get("AWS_ACCESS_KEY_ID"))
    try:
        # A profile named outright wins over keys in the environment; $AWS_PROFILE alone does not.
        session, shown = _session(boto3, name, keys_in_the_way=keys_in_the_way)
        if keys_in_the_way and shown is not None:
            complain("AWS_ACCESS_KEY_ID is set: most programs use those keys in place of the profile. Unset it.")
        client = session.client(
            "sts",
            region_name=session.region_name or _sso_region(session) or "us-east-1",
            config=Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}),
        )
        deadlines.impose(client._endpoint.http_session)
        try:
            answer = _call(client)
        finally:
            client.close()
        return identity_of(shown, str(answer["Account"]), str(answer["Arn"]))
    except ClientError as error:
        raise _refused(error.response.get("Error", {}), name) from None
    except BotoCoreError as error:
        failure = _failed(error, name)
        if isinstance(failure, LoginNeeded) and is_left_out(name or "default", paths, environ):
            raise _left_out(name or "default", paths, environ) from None
        raise failure from None
    except OSError as error:  # a helper that is not there, or may not be run
        raise CredhelperError(
            f"the credential process{_of(name)} cannot be run: {printable(str(error.filename))}: {error.strerror}",
            "Run `credhelper enable` again, or correct credential_process in the AWS config",
        ) from None
    except (ValueError, LookupError) as error:  # botocore on a helper's output that is not what it should be
        raise CredhelperError(
            f"the credentials{_of(name)} make no sense to boto3 ({type(error).__name__})",
            "Check credential_process in the AWS config, proxy and endpoints",
        ) from None


def _check_files(paths: Paths, environ: Mapping[str, str], name: str) -> None:
    """Raise ConfigError for a file that boto3 would pass over in silence, or wait for for ever (a FIFO)."""
    check_config(paths, environ)
    check_readable(paths.credentials_file(environ))
    found = next((profile for profile in World.of(paths, environ).profiles() if profile.name == name), None)
    if found is not None and found.session is not None:
        with contextlib.suppress(OSError):
            token_file = TokenCache(paths.token_cache, paths.locks).path(found.session.cache_key)
            if not stat.S_ISREG(token_file.stat().st_mode):
                raise ConfigError(f"{token_file} is not a regular file", "Move it away")


def _left_out(name: str, paths: Paths, environ: Mapping[str, str]) -> CredhelperError:
    """The way on for a legacy profile whose session may well be logged in: no login alone leads to it."""
    session = resolve_session(name, environ, paths)
    shown, enable = printable(name), printable(command_for("enable", name))
    try:
        logged_in = TokenCache(paths.token_cache, paths.locks).read(session.name) is not None
    except CredhelperError:
        logged_in = False
    message = f"the profile {shown} names no sso_session, so AWS programs do not find the login of {session.name}"
    if logged_in:
        return CredhelperError(message, f"Run `{enable}`")
    return LoginNeeded(message, f"Run `{enable}`, then `{printable(login_command(session.name))}`")


def _call(client: Any) -> Any:
    """The answer. Raises CredhelperError where it is none of AWS's; botocore's own parsers stumble over that."""
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        answer = client.get_caller_identity()
        return {name: answer[name] for name in ("Account", "Arn")}
    except (ResponseParserError, AttributeError, LookupError, TypeError, UnicodeError):
        raise CredhelperError(
            "something else answered in place of AWS: a web page, or nonsense",
            "Log in to this network first (open any web page), check proxy and endpoints",
        ) from None


def _session(boto3: Any, name: str | None, *, keys_in_the_way: bool) -> tuple[Any, str | None]:
    if name is None:
        session = boto3.Session()
        if keys_in_the_way and "default" not in session.available_profiles:
            return session, None
        name = "default"
    return boto3.Session(profile_name=name), name


def _sso_region(session: Any) -> str | None:
    """Where a profile without a region of its own logs in; the same partition at least."""
    core = session._session
    scoped = core.get_scoped_config()
    sso_session = core.full_config.get("sso_sessions", {}).get(scoped.get("sso_session"), {})
    region = scoped.get("sso_region") or sso_session.get("sso_region")
    return region if isinstance(region, str) else None


def identity_of(profile: str | None, account: str, arn: str) -> Identity:
    """Read an ARN of sts or iam: `…:assumed-role/ROLE/SESSION`, `…:user/PATH/NAME`, `…:root`."""
    kind, *rest = arn.split(":", 5)[-1].split("/")
    role = person = None
    if kind == "assumed-role" and len(rest) >= 2:
        found = _RESERVED.fullmatch(rest[0])
        role, person = found["role"] if found else rest[0], rest[-1]
    elif kind in {"user", "federated-user"} and rest:
        person = rest[-1]
    elif kind == "root":
        person = "root"
    return Identity(profile, account, role, person, arn)


def _refused(error: Mapping[str, Any], name: str | None) -> CredhelperError:
    code = printable(str(error.get("Code", "Unknown")))
    if code in {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}:
        return LoginNeeded(f"the credentials{_of(name)} have expired", _login(name))
    if code == "UnauthorizedException":
        return LoginNeeded(f"not logged in{_for(name)}", _login(name))
    if code == "SignatureDoesNotMatch" and str(error.get("Message", "")).startswith(_OTHER_TIME):
        return CredhelperError(
            "this machine's clock is off by more than AWS accepts", "Set the clock, or let the system keep it (NTP)"
        )
    if code in {
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "IncompleteSignature",
    }:
        return CredhelperError(
            f"AWS does not accept the keys{_of(name)} ({code})",
            "Check aws_access_key_id and aws_secret_access_key in ~/.aws, and AWS_… in the environment",
        )
    if code == "ForbiddenException":
        return CredhelperError(
            f"the role{_of(name)} is not assigned to you", "Check sso_account_id and sso_role_name"
        )
    return CredhelperError(
        f"AWS refused to say who you are: {code}", "Try again, or ask the account's administrators"
    )


def _failed(error: Exception, name: str | None) -> CredhelperError:
    kind = type(error).__name__
    if kind == "ProfileNotFound":
        if name is None:
            return UsageError("no profile is named, and there is no 'default' one", "Name one, or set AWS_PROFILE")
        return _no_profile(name)
    if kind == "CredentialRetrievalError":
        return _helper_said(error, name)
    if kind in _LOGIN_ERRORS:
        return LoginNeeded(f"not logged in{_for(name)}", _login(name))
    if kind in {"NoCredentialsError", "PartialCredentialsError", "CredentialsError"}:
        return CredhelperError(
            f"there are no credentials{_for(name)}", "Run `credhelper status` to see which profiles have some"
        )
    if kind == "ConfigParseError":
        return _unparsable(Path(str(getattr(error, "kwargs", {}).get("path", ""))))
    if kind in {"ConfigNotFound", "InvalidConfigError"}:
        return ConfigError(f"boto3 cannot use the AWS config ({kind})", "Check ~/.aws/config and ~/.aws/credentials")
    if kind in _OFFLINE_ERRORS:
        return CredhelperError(f"AWS cannot be reached ({kind})", "Check the network and the proxy")
    return CredhelperError(f"boto3 failed: {kind}", "Run `credhelper status`")


def _unparsable(path: Path) -> ConfigError:
    reason = why_unparsable(path)
    return ConfigError(f"boto3 cannot read {path}{f': {reason}' if reason else ''}", "Correct it")


def _helper_said(error: Exception, name: str | None) -> CredhelperError:
    """The helper's own words. Botocore keeps its stderr and loses its exit code."""
    text = str(getattr(error, "kwargs", {}).get("error_msg", "")).strip()
    text = printable(" ".join(text.split())).removeprefix("credhelper: ")[:500]
    if "credhelper login" in text or "log in" in text.lower():
        return LoginNeeded(text)
    return CredhelperError(f"the credential process{_of(name)} failed: {text or 'it said nothing'}")


def _no_profile(name: str) -> CredhelperError:
    import botocore.session  # noqa: PLC0415

    from credhelper.aws.targets import unknown  # noqa: PLC0415

    core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    return unknown("profile", name, core.available_profiles)


def _of(name: str | None) -> str:
    return f" of {printable(name)}" if name else ""


def _for(name: str | None) -> str:
    return f" for {printable(name)}" if name else ""


def _login(name: str | None) -> str:
    return f"Run `{login_command(name)}`" if name else "Run `credhelper login`"
