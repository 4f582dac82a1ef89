"""Why nobody can say which identity a profile has: from boto3's errors to one cause each, with its remedy."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from credhelper.aws.choices import Choices
from credhelper.aws.directory import account_name
from credhelper.aws.targets import is_left_out, resolve_session, unknown
from credhelper.aws.tokens import TokenCache
from credhelper.cli.notices import why_unparsable
from credhelper.cli.overrides import bare, is_of_login, override_of
from credhelper.core.verdicts import NO_ACCESS, NO_SUCH_ROLE
from credhelper.errors import ConfigError, CredhelperError, LoginNeeded, UsageError
from credhelper.model import Profile
from credhelper.names import command_for, login_command
from credhelper.paths import Paths
from credhelper.terminal import duration, printable

# Botocore's errors that end with a login, by class name: they come from its own SSO provider.
_LOGIN_ERRORS = {
    "UnauthorizedSSOTokenError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "PendingAuthorizationExpiredError",
}
_OFFLINE_ERRORS = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProxyConnectionError",
    "SSLError",
    "HTTPClientError",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_KEYS_REFUSED = {
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "IncompleteSignature",
}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
# How sts begins where a request's date is five minutes away from its own.
_OTHER_TIME = ("Signature expired: ", "Signature not yet current: ")
_SKEW_ACCEPTED = 300.0
# What our helper says of one role, where the session is fine (`daemon/broker.py`).
_OURS = re.compile(r"account [0-9]{12}, role .{1,64}?: (?P<reason>.+?)\. (?P<remedy>[^.]+)")
_LOG_IN = re.compile(r"credhelper login|\blog in\b", re.IGNORECASE)
_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_CONFIG_VARIABLES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


@dataclass
class Causes:
    """What went wrong for one profile.

    Attributes:
        name: of the profile; None where none was named.
        outright: it was named to the command, and not by the environment.
        source: where botocore has the credentials from, as soon as that is known.
        endpoint: the address at which sts is asked, likewise.
    """

    name: str | None
    paths: Paths
    environ: Mapping[str, str]
    outright: bool = True
    source: str = ""
    endpoint: str = ""

    # AWS has answered

    def refused(self, response: Mapping[str, Any], operation: str) -> CredhelperError:
        """AWS's refusal of a call that botocore made: sts's own, or one on the way to credentials."""
        error = response.get("Error", {})
        code, message = printable(str(error.get("Code", "Unknown"))), str(error.get("Message", ""))
        skew = _skew(response)
        if code == "SignatureDoesNotMatch" and message.startswith(_OTHER_TIME):
            return _clock(skew)
        if code in _EXPIRED:
            return _clock(skew) if abs(skew) > _SKEW_ACCEPTED else self._expired()
        if code == "UnauthorizedException":
            return LoginNeeded(f"not logged in{self._for}", self._login)
        if code in _KEYS_REFUSED:
            return _clock(skew) if abs(skew) > _SKEW_ACCEPTED else self._keys_refused(code)
        if code == "ForbiddenException" or (
            operation == "GetRoleCredentials" and code in {"ResourceNotFoundException", "AccessDeniedException"}
        ):
            return self._no_access()
        if code in _THROTTLED:
            return CredhelperError("AWS throttles the calls of this user", "Try again in a moment")
        if code == "RegionDisabledException":
            return CredhelperError(f"the account{self._of} has not enabled the profile's region", "Name another one")
        if code.isdecimal():  # botocore has nothing but the status, for AWS's own refusals have a name
            return no_answer() if int(code) < 500 else CredhelperError(f"AWS answers with status {code}", "Try again")
        if operation.startswith("AssumeRole") and code in {"AccessDenied", "AccessDeniedException"}:
            return CredhelperError(
                f"AWS does not let you assume the role{self._of}",
                "Check role_arn and source_profile, and whom the role's trust policy names",
            )
        return CredhelperError(
            f"AWS refused to say who you are: {code}", "Try again, or ask the account's administrators"
        )

    def _expired(self) -> CredhelperError:
        if self.source == "env":
            return CredhelperError(
                "the credentials in the environment have expired, and they come before AWS_PROFILE",
                unset_keys(self.environ),
            )
        if self._key_file is not None:
            return CredhelperError(
                f"the credentials{self._of} in {self._key_file} have expired", f"Take them out of {self._key_file}"
            )
        behind = self._profile
        if self.source == "custom-process" and behind is not None and behind.session is None:
            return CredhelperError(
                f"the credentials{self._of} have expired", "Let its credential_process give new ones: it is not ours"
            )
        return LoginNeeded(f"the credentials{self._of} have expired", self._login)

    def _keys_refused(self, code: str) -> CredhelperError:
        if self.source == "env":
            return CredhelperError(
                f"AWS does not accept the keys in the environment ({code}), which come before AWS_PROFILE",
                unset_keys(self.environ),
            )
        if self._key_file is not None:
            behind = self._profile
            wins = ", which win over its session" if behind and (behind.session or behind.managed) else ""
            return CredhelperError(
                f"AWS does not accept the keys{self._of} in {self._key_file} ({code}){wins}",
                f"Take them out of {self._key_file}, or correct them",
            )
        remedy = "Check aws_access_key_id and aws_secret_access_key in ~/.aws, and AWS_… in the environment"
        if self.source:  # a session, a process, another role: nobody has typed these keys
            overridden, behind = override_of(self.endpoint, self.environ), self._profile
            session = behind.session if behind else None
            if overridden and session and not is_of_login(self.endpoint, session, self.paths, self.environ):
                return CredhelperError(
                    f"{printable(bare(self.endpoint))} does not accept the keys{self._of} ({code})",
                    f"{overridden} leads there, and the login of {printable(session.name)} was elsewhere. "
                    "Unset or correct it",
                )
            remedy = "Check the profile's region: AWS accepts no keys in one that the account has not enabled"
        return CredhelperError(f"AWS does not accept the keys{self._of} ({code})", remedy)

    def _no_access(self) -> CredhelperError:
        profile = self._profile
        if profile is None or not (profile.account_id and profile.role_name):
            return CredhelperError(
                f"the role{self._of} is not assigned to you", "Check sso_account_id and sso_role_name"
            )
        named = account_name(self.paths, profile.session, profile.account_id) if profile.session else None
        account = f"{profile.account_id} ({named})" if named else profile.account_id
        message = f"the role {profile.role_name} of account {account} is not assigned to you"
        remedy = "Check sso_account_id and sso_role_name, or ask whoever assigns access"
        if profile.session is not None:
            message += f" in {profile.session.name}"
            listed = command_for("profiles discover", profile.session.name)
            remedy += f"; `{printable(listed)}` writes profiles for what you have"
        return CredhelperError(printable(f"{message}, or not there"), remedy)

    # AWS was not reached, or not even asked

    def failed(self, error: Exception) -> CredhelperError:
        """An error of botocore's own."""
        kind = type(error).__name__
        told: Mapping[str, Any] = getattr(error, "kwargs", {})
        if kind == "ProfileNotFound":
            return self._no_profile()
        if kind == "CredentialRetrievalError":
            return self._helper_said(str(told.get("error_msg", "")))
        if kind in _LOGIN_ERRORS:
            return self._not_logged_in()
        if kind == "PartialCredentialsError":
            return self._half_keys(str(told.get("cred_var", "")), str(told.get("provider", "")))
        if kind in {"NoCredentialsError", "CredentialsError"}:
            return CredhelperError(
                f"there are no credentials{self._for}", "Run `credhelper status` to see which profiles have some"
            )
        if kind == "ConfigParseError":
            return _unparsable(Path(str(told.get("path", ""))))
        if kind in {"ConfigNotFound", "InvalidConfigError"}:
            return ConfigError(
                f"boto3 cannot use the AWS config ({kind})", "Check ~/.aws/config and ~/.aws/credentials"
            )
        if kind in _OFFLINE_ERRORS:
            return CredhelperError(f"AWS cannot be reached ({kind})", self._why_unreachable(kind, told))
        return CredhelperError(f"boto3 failed: {kind}", "Run `credhelper doctor` to see what is wrong")

    def helper_not_run(self, error: OSError) -> CredhelperError:
        """The program of `credential_process` is not there, or may not be run."""
        return CredhelperError(
            f"the credential process{self._of} cannot be run: {printable(str(error.filename))}: {error.strerror}",
            "Run `credhelper enable` again, or correct credential_process in the AWS config",
        )

    def nonsense(self, error: Exception) -> CredhelperError:
        """What the program of `credential_process` says is not what it should be."""
        return CredhelperError(
            f"the credentials{self._of} make no sense to boto3 ({type(error).__name__})",
            "Check credential_process in the AWS config, proxy and endpoints",
        )

    def _not_logged_in(self) -> CredhelperError:
        name = self.name or "default"
        if is_left_out(name, self.paths, self.environ):
            return self._left_out(name)
        return LoginNeeded(f"not logged in{self._for}", self._login)

    def _left_out(self, name: str) -> CredhelperError:
        """The way on for a legacy profile whose session may well be logged in: no login alone leads to it."""
        session = resolve_session(name, self.environ, self.paths)
        shown, enable = printable(name), printable(command_for("enable", name))
        try:
            logged_in = TokenCache(self.paths.token_cache, self.paths.locks).read(session.name) is not None
        except CredhelperError:
            logged_in = False
        message = f"the profile {shown} names no sso_session, so AWS programs do not find the login of {session.name}"
        if logged_in:
            return CredhelperError(message, f"Run `{enable}`")
        return LoginNeeded(message, f"Run `{enable}`, then `{printable(login_command(session.name))}`")

    def _helper_said(self, text: str) -> CredhelperError:
        """The helper's own words. Botocore keeps its stderr and loses its exit code."""
        text = printable(" ".join(text.split())).removeprefix("credhelper: ")[:500]
        if NO_ACCESS in text or NO_SUCH_ROLE in text:
            return self._no_access()
        if _LOG_IN.search(text):
            return LoginNeeded(text)
        ours = _OURS.fullmatch(text)
        if ours is not None:
            return CredhelperError(
                f"no credentials{self._for}: {ours['reason']}", _after(ours["reason"], ours["remedy"])
            )
        return CredhelperError(f"the credential process{self._of} failed: {text or 'it said nothing'}")

    def _half_keys(self, missing: str, provider: str) -> CredhelperError:
        if provider == "env":
            return CredhelperError(
                f"the environment has AWS_ACCESS_KEY_ID without {missing.upper()}, and that comes before AWS_PROFILE",
                unset_keys(self.environ),
            )
        return CredhelperError(
            f"{printable(provider)} has an access key{self._for} without {printable(missing)}",
            "Take the key out of ~/.aws/credentials and ~/.aws/config, or complete it",
        )

    def _no_profile(self) -> CredhelperError:
        for variable in _CONFIG_VARIABLES:
            if self.environ.get(variable) and not self._file(variable).exists():
                return UsageError(
                    f"there is no profile {self.name or 'default'!r}: "
                    f"{variable} names {self._file(variable)}, which is not there",
                    f"Unset or correct {variable}",
                )
        if self.name is None:
            return UsageError("no profile is named, and there is no 'default' one", "Name one, or set AWS_PROFILE")
        import botocore.session  # noqa: PLC0415

        core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        kind = "profile" if self.outright else "profile (from AWS_PROFILE)"
        return unknown(kind, self.name, core.available_profiles)

    def _file(self, variable: str) -> Path:
        named = variable == "AWS_CONFIG_FILE"
        return self.paths.config_file(self.environ) if named else self.paths.credentials_file(self.environ)

    def _why_unreachable(self, kind: str, told: Mapping[str, Any]) -> str:
        """What to look at first. The addresses of proxies stay untold, and users in others: they hold passwords."""
        cause, url = str(told.get("error", "")), str(told.get("endpoint_url", ""))
        overridden = override_of(url, self.environ)
        if kind == "ProxyConnectionError":
            named = [name for name in _PROXIES if self.environ.get(name)]
            return f"Check the proxy{f' that {named[0]} names' if named else ''}: it refused, or is not there"
        if kind == "SSLError":
            return self._why_no_tls(cause)
        if overridden is not None:
            return f"{overridden} leads to {printable(bare(url))}. Unset or correct it"
        if "resolve" in cause or "Name or service not known" in cause or "nodename nor servname" in cause:
            host = printable(urlsplit(url).hostname or "AWS")
            return f"No address is found for {host}: check the region, the network and its DNS"
        return "Check the network and the proxy"

    def _why_no_tls(self, cause: str) -> str:
        bundle = next((name for name in _BUNDLES if self.environ.get(name)), None)
        if "[Errno " in cause or "NO_CERTIFICATE" in cause:
            if bundle is None:
                return "Check ca_bundle in the AWS config: it names no readable CA bundle"
            return f"{bundle} names {printable(self.environ[bundle])}, which is no readable CA bundle. Correct it"
        if "not yet valid" in cause or "has expired" in cause:
            return "The certificate is of another time: check this machine's clock"
        if "CERTIFICATE_VERIFY_FAILED" in cause:
            return "The certificate is not trusted. Where a proxy looks into TLS, AWS_CA_BUNDLE is to name its CA"
        return "Check what stands between this machine and AWS: TLS fails"

    # What is known of the profile

    @property
    def _profile(self) -> Profile | None:
        """The profile whose role is taken on first; None where the files do not say."""
        try:
            return Choices.of(self.paths, self.environ).behind(self.name or "default")
        except CredhelperError:
            return None

    @property
    def _key_file(self) -> Path | None:
        """The file that the credentials come from, where they come from one."""
        if self.source == "shared-credentials-file":
            return self.paths.credentials_file(self.environ)
        return self.paths.config_file(self.environ) if self.source == "config-file" else None

    @property
    def _of(self) -> str:
        return f" of {printable(self.name)}" if self.name else ""

    @property
    def _for(self) -> str:
        return f" for {printable(self.name)}" if self.name else ""

    @property
    def _login(self) -> str:
        return f"Run `{login_command(self.name)}`" if self.name else "Run `credhelper login`"


def unset_keys(environ: Mapping[str, str]) -> str:
    """What to do against keys in the environment."""
    return f"Unset {', '.join(name for name in _KEY_VARIABLES if name in environ)}"


def _after(reason: str, remedy: str) -> str:
    """What to do after what the background process met on its own way to AWS."""
    if "sign-in page" in reason:
        return "Log in to this network first (open any web page)"
    if "cannot be reached" in reason:
        return (
            "Check the network; the background process uses the proxy and CA bundle of your last `credhelper login`"
        )
    return remedy


def no_answer() -> CredhelperError:
    """Something has answered, and it was not AWS."""
    return CredhelperError(
        "something else answered in place of AWS: a web page, or nonsense",
        "Log in to this network first (open any web page), check proxy and endpoints",
    )


def _clock(skew: float) -> CredhelperError:
    off = ""
    if abs(skew) > _SKEW_ACCEPTED:
        off = f"It is {duration(abs(skew))} {'ahead' if skew < 0 else 'behind'}. "
    return CredhelperError(
        "this machine's clock is off by more than AWS accepts", f"{off}Set the clock, or let the system keep it (NTP)"
    )


def _skew(response: Mapping[str, Any]) -> float:
    """Seconds by which the server's clock is ahead of ours, by its answer's `Date`; 0 where it has none."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return parsedate_to_datetime(str(headers["date"])).timestamp() - time.time()
    except (LookupError, TypeError, ValueError, OverflowError):
        return 0.0


def _unparsable(path: Path) -> ConfigError:
    reason = why_unparsable(path)
    return ConfigError(f"boto3 cannot read {path}{f': {reason}' if reason else ''}", "Correct it")
