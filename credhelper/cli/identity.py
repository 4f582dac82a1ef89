"""Which identity a profile has: asked of sts through boto3, as any program of the person's would."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from credhelper.aws.readable import check_config, check_readable
from credhelper.aws.tokens import TokenCache
from credhelper.aws.world import World
from credhelper.cli.identity_causes import Causes, no_answer
from credhelper.errors import ConfigError
from credhelper.paths import Paths, chosen_profile

_RESERVED = re.compile(r"AWSReservedSSO_(?P<role>.+)_[0-9a-f]{16}")
# Seconds for each try of a call.
_CONNECT_WITHIN, _READ_WITHIN = 5.0, 10.0
# What botocore calls the places that it takes keys from.
ENVIRONMENT, KEY_FILES = "env", ("shared-credentials-file", "config-file")


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer; `role` and `person` are None where the ARN names none."""

    profile: str | None
    account: str
    role: str | None
    person: str | None
    arn: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The credentials that were asked with, apart from themselves.

    Attributes:
        source: where botocore has them from: `custom-process`, `sso`, `assume-role`, `env`, …
        expires_at: seconds since the epoch, or None where no end is known.
        lasting: they are an IAM user's own keys, which have no end.
    """

    source: str
    expires_at: float | None
    lasting: bool


def ask(profile: str | None, environ: Mapping[str, str]) -> tuple[Identity, Keys]:
    """Call `sts get-caller-identity` as `profile`, through boto3 as any program would.

    Without `profile` as what the environment leads programs to: keys in it come before `AWS_PROFILE` and the default
    profile, and the identity is then of no profile. A profile that is named outright wins over them.

    Raises LoginNeeded, UsageError for a profile that is not there, ConfigError, CredhelperError.
    """
    name = profile or chosen_profile(environ)
    paths = Paths.of(environ)
    _check_files(paths, environ, name or "default")
    import boto3  # noqa: PLC0415 - costs 0.2 s
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from credhelper.aws import deadlines  # noqa: PLC0415

    causes = Causes(name, paths, environ, outright=profile is not None)
    try:
        with _loopback_without_proxy():
            shown = None if profile is None and environ.get("AWS_ACCESS_KEY_ID") else name or "default"
            session = boto3.Session() if shown is None else boto3.Session(profile_name=shown)
            # Also for boto3's own calls on the way to credentials; left to itself it waits for minutes.
            session._session.set_default_client_config(
                Config(connect_timeout=_CONNECT_WITHIN, read_timeout=_READ_WITHIN, retries={"total_max_attempts": 2})
            )
            credentials = session.get_credentials()
            causes.source = str(getattr(credentials, "method", "") or "")
            client = session.client("sts", region_name=session.region_name or _sso_region(session) or "us-east-1")
            causes.endpoint = str(client.meta.endpoint_url)
            deadlines.impose(client._endpoint.http_session)
            try:
                answer = _call(client)
            finally:
                client.close()
        return identity_of(shown, str(answer["Account"]), str(answer["Arn"])), _keys(credentials)
    except ClientError as error:
        raise causes.refused(error.response, error.operation_name) from None
    except BotoCoreError as error:
        raise causes.failed(error) from None
    except OSError as error:  # a helper that is not there, or may not be run
        raise causes.helper_not_run(error) from None
    except (ValueError, LookupError) as error:  # botocore on a helper's output that is not what it should be
        raise causes.nonsense(error) from None


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


def _call(client: Any) -> Any:
    """The answer. Raises CredhelperError where it is none of AWS's; botocore's own parsers stumble over that."""
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        answer = client.get_caller_identity()
        return {name: answer[name] for name in ("Account", "Arn")}
    except (ResponseParserError, AttributeError, LookupError, TypeError, UnicodeError):
        raise no_answer() from None


def _sso_region(session: Any) -> str | None:
    """Where a profile without a region of its own logs in; the same partition at least."""
    core = session._session
    scoped = core.get_scoped_config()
    sso_session = core.full_config.get("sso_sessions", {}).get(scoped.get("sso_session"), {})
    region = scoped.get("sso_region") or sso_session.get("sso_region")
    return region if isinstance(region, str) else None


def _keys(credentials: Any) -> Keys:
    """What botocore knows of the credentials that it has just used."""
    end = getattr(credentials, "_expiry_time", None)  # it tells nobody otherwise
    source = str(getattr(credentials, "method", "") or "")
    lasting = (
        end is None and source in {ENVIRONMENT, *KEY_FILES} and credentials.get_frozen_credentials().token is None
    )
    return Keys(source, None if end is None else end.timestamp(), lasting)


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
