"""Each of the causes for which `whoami` cannot say who a profile is, made for real where that is possible."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError, UnknownRegionError
from botocore.tokens import SSOTokenProvider
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import NameResolutionError

from credhelper.agent import Agent
from credhelper.aws import directory
from credhelper.cli import identity
from credhelper.cli.identity_causes import Causes
from credhelper.errors import CredhelperError, LoginNeeded
from credhelper.standin import Fault, StandIn
from tests import tls
from tests.cli.terminal import ACCOUNT, CHAINED, ROLE, Result, Terminal, role_credentials

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "made-up", "AWS_SESSION_TOKEN": "made-up"}


@pytest.fixture
def logged_in(terminal: Terminal) -> Iterator[Terminal]:
    """The profile `dev` has a helper that works, and knows no daemon; so all runs in this process."""
    found = role_credentials(terminal)
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(found["expiration"]) / 1000))
    names = {"AccessKeyId": "accessKeyId", "SecretAccessKey": "secretAccessKey", "SessionToken": "sessionToken"}
    answer = {"Version": 1, "Expiration": end, **{name: found[theirs] for name, theirs in names.items()}}
    file = terminal.paths.home / "answer"
    file.write_text(json.dumps(answer))
    serve(terminal, f"cat {file}")
    yield terminal
    file.unlink()  # else it would be found as a secret that was left


def serve(terminal: Terminal, script: str) -> None:
    """Give `dev` a credential process that is this script; it keeps its session, as managed profiles do."""
    path = terminal.paths.home / "helper"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    head = terminal.config.read_text().partition("[profile dev]")[0]
    terminal.config.write_text(f"{head}[profile dev]\nregion = eu-west-1\ncredential_process = {path}\n")


def find_the_standin(terminal: Terminal) -> None:
    """Let the daemon find it for what another client logged in to."""
    url = terminal.standin.url
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "{url}"\n')


def said(result: Result, code: int = 1) -> str:
    assert (result.code, result.out) == (code, "")
    first, *rest = result.err.splitlines()
    assert first.startswith("credhelper: ")
    assert all(line.startswith("  ") for line in rest), result.err
    return result.err


# --- not logged in, no access ---------------------------------------------------------------------------------------


def test_logged_out_while_the_daemon_runs(terminal: Terminal, daemon: Agent) -> None:
    assert daemon.running()
    assert terminal.run("enable", "dev", "--yes").code == 0
    result = terminal.call("whoami", "dev")
    assert "not logged in. Run: credhelper login corp" in said(result, 3)


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("listed", [True, False])
def test_a_role_that_is_not_assigned(terminal: Terminal, daemon: Agent, *, managed: bool, listed: bool) -> None:
    find_the_standin(terminal)
    terminal.seed()
    terminal.config.write_text(terminal.config.read_text().replace(ROLE, "Nobodys"))
    if managed:
        assert terminal.run("enable", "dev", "--yes").code == 0
        daemon.call("reload")
    if listed:
        known = directory.KnownAccount(ACCOUNT, "Sand box", "a@example.com", (ROLE,))
        data = directory.encode(directory.Directory((known,), complete=True, listed_at=time.time()))
        directory.write_directory(terminal.paths, terminal.session, data, complete=True)
    words = f"the role Nobodys of account {ACCOUNT}{' (Sand box)' if listed else ''} is not assigned to you in corp"
    err = said(terminal.call("whoami", "dev"))
    assert words in err
    assert "`credhelper profiles discover corp`" in err


def test_a_role_that_may_not_be_assumed(terminal: Terminal) -> None:
    terminal.add(CHAINED)
    refusal = {"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: sts:AssumeRole"}}
    found = Causes("chained", terminal.paths, {}).refused(refusal, "AssumeRole")
    assert "does not let you assume the role of chained" in found.message
    assert "role_arn" in str(found.remedy)


def test_a_role_call_that_is_denied(terminal: Terminal) -> None:
    """As the background process reads this refusal too."""
    refusal = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    found = Causes("dev", terminal.paths, {}).refused(refusal, "GetRoleCredentials")
    assert f"the role {ROLE} of account {ACCOUNT} is not assigned to you" in found.message


# --- keys in the way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        (
            list(KEYS)[:2],
            "InvalidClientTokenId",
            "does not accept the keys in the environment (InvalidClientTokenId)",
        ),
        (list(KEYS)[:1], None, "AWS_ACCESS_KEY_ID without AWS_SECRET_ACCESS_KEY"),
        (list(KEYS), "ExpiredToken", "credentials in the environment have expired"),
    ],
)
def test_keys_in_the_environment(terminal: Terminal, names: list[str], code: str | None, words: str) -> None:
    for name in names:
        terminal.patch.setenv(name, KEYS[name])
    if code:
        terminal.standin.fault("GetCallerIdentity", Fault.error(code, status=403))
    err = said(terminal.run("whoami"))
    assert words in err
    assert f"Unset {', '.join(names)}\n" in err


@pytest.mark.parametrize("where", ["credentials", "config"])
@pytest.mark.parametrize("code", ["InvalidClientTokenId", "ExpiredToken"])
def test_keys_in_a_file(terminal: Terminal, where: str, code: str) -> None:
    keys = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = made-up\n"
    path = terminal.paths.aws / where
    if where == "credentials":
        assert terminal.run("enable", "dev", "--yes").code == 0  # the helper line does not count beside them
        path.write_text(f"[dev]\n{keys}")
    else:
        terminal.config.write_text(f"[profile dev]\nregion = eu-west-1\n{keys}")
    terminal.standin.fault("GetCallerIdentity", Fault.error(code, status=403))
    err = said(terminal.run("whoami", "dev"))
    assert (
        f"{'AWS does not accept the keys' if code != 'ExpiredToken' else 'the credentials'} of dev in {path}" in err
    )
    assert ("win over its session" in err) is (where == "credentials" and code != "ExpiredToken")
    assert f"Take them out of {path}" in err


def test_keys_in_a_file_that_work(terminal: Terminal) -> None:
    """They answer in place of the session: the person hears of it."""
    found = role_credentials(terminal)
    path = terminal.paths.aws / "credentials"
    try:
        path.write_text(
            f"[dev]\naws_access_key_id = {found['accessKeyId']}\naws_secret_access_key = {found['secretAccessKey']}\n"
            f"aws_session_token = {found['sessionToken']}\n"
        )
        assert terminal.run("enable", "dev", "--yes").code == 0
        result = terminal.run("whoami", "dev")
        assert (result.code, result.err.count("\n")) == (0, 1)
        assert f"the keys of dev in {path} come before its Identity Center session" in result.err
        assert "until:   -\n" in result.out
        assert json.loads(terminal.run("whoami", "dev", "--json").out)["source"] == "shared-credentials-file"
    finally:
        path.unlink(missing_ok=True)


def test_half_a_key_in_a_file(terminal: Terminal) -> None:
    (terminal.paths.aws / "credentials").write_text("[keys]\naws_access_key_id = AKIAEXAMPLE\n")
    err = said(terminal.run("whoami", "keys"))
    assert "has an access key for keys without aws_secret_access_key" in err


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_variable_that_names_no_file(terminal: Terminal, variable: str) -> None:
    if variable != "AWS_CONFIG_FILE":
        terminal.config.unlink()
    terminal.patch.setenv(variable, "/no/such/file")
    err = said(terminal.run("whoami", "dev"), 2)
    assert f"{variable} names /no/such/file, which is not there" in err
    assert f"Unset or correct {variable}" in err


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("InvalidClientTokenId", "does not accept the keys of dev", "Check the profile's region"),
        ("RegionDisabledException", "the account of dev has not enabled the profile's region", "Name another one"),
        ("ThrottlingException", "AWS throttles the calls of this user", "Try again in a moment"),
    ],
)
def test_refusals_of_keys_that_nobody_has_typed(logged_in: Terminal, code: str, message: str, remedy: str) -> None:
    logged_in.standin.fault("GetCallerIdentity", Fault.error(code, status=403))
    err = said(logged_in.run("whoami", "dev"))
    assert message in err
    assert f"\n  {remedy}" in err
    assert "aws_secret_access_key" not in err


def test_another_process_whose_credentials_have_expired(logged_in: Terminal) -> None:
    """No login of ours would change them."""
    logged_in.standin.fault("GetCallerIdentity", Fault.error("ExpiredToken", status=403))
    err = said(logged_in.run("whoami", "dev"))
    assert err.startswith("credhelper: the credentials of dev have expired\n  Let its credential_process")


@pytest.mark.parametrize(
    ("words", "code"), [("please log in again", 3), ("Log in first", 3), ("the catalog invalidates it", 1)]
)
def test_another_process_that_wants_a_login(terminal: Terminal, words: str, code: int) -> None:
    serve(terminal, f"echo 'vault: {words}' >&2; exit 1")
    assert words in said(terminal.run("whoami", "dev"), code)


# --- network, proxy, certificates -----------------------------------------------------------------------------------


def test_an_endpoint_that_leads_nowhere(logged_in: Terminal) -> None:
    logged_in.patch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    err = said(logged_in.run("whoami", "dev"))
    assert err.startswith("credhelper: AWS cannot be reached (EndpointConnectionError)\n")
    assert "AWS_ENDPOINT_URL_STS leads to http://127.0.0.1:9/" in err


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"])
@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("tried_by", ["helper", "sso"])
def test_another_endpoint_than_that_of_the_login(terminal: Terminal, variable: str, tried_by: str) -> None:
    """A second AWS, which does not know the keys of the first."""
    terminal.patch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", os.fspath(terminal.paths.token_cache))
    assert terminal.run("login", "corp").code == 0
    if tried_by == "helper":
        assert terminal.run("enable", "dev", "--yes").code == 0
    with StandIn() as other:
        terminal.patch.delenv("AWS_ENDPOINT_URL_STS")
        terminal.patch.setenv(variable, other.url)
        err = said(terminal.run("whoami", "dev"))
        assert f"{other.url} does not accept the keys of dev (InvalidClientTokenId)\n" in err
        assert f"  {variable} leads there, and the login of corp was elsewhere. Unset or correct it\n" in err


@pytest.mark.usefixtures("daemon")
def test_the_endpoint_of_the_login_is_not_blamed(terminal: Terminal) -> None:
    terminal.patch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", os.fspath(terminal.paths.token_cache))
    assert terminal.run("login", "corp").code == 0
    terminal.standin.fault("GetCallerIdentity", Fault.error("InvalidClientTokenId", status=403))
    err = said(terminal.run("whoami", "dev"))
    assert "AWS does not accept the keys of dev (InvalidClientTokenId)\n  Check the profile's region" in err


def test_an_endpoints_password_stays_untold(logged_in: Terminal) -> None:
    logged_in.patch.setenv("AWS_ENDPOINT_URL_STS", "http://user:hu@sh@127.0.0.1:9/a@b")
    err = said(logged_in.run("whoami", "dev"))
    assert "AWS_ENDPOINT_URL_STS leads to http://127.0.0.1:9/a@b" in err
    assert "user" not in err


@pytest.mark.parametrize("operation", ["GetRoleCredentials", "GetCallerIdentity"])
def test_silence(terminal: Terminal, operation: str) -> None:
    """Left to itself boto3 asks five times, and waits for a minute each time."""
    terminal.seed()
    terminal.patch.setattr(identity, "_READ_WITHIN", 0.3)
    terminal.patch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", os.fspath(terminal.paths.token_cache))
    placed = terminal.standin.fault(operation, Fault.hold(), times=None)
    try:
        err = said(terminal.run("whoami", "dev"))
    finally:
        placed.remove()
    assert "AWS cannot be reached (ReadTimeoutError)" in err
    assert len(terminal.standin.calls(operation)) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.stranger(403), "something else answered in place of AWS"),
        (Fault.stranger(407), "something else answered in place of AWS"),
        (Fault.empty(status=503), "AWS answers with status 503"),
    ],
)
@pytest.mark.parametrize("operation", ["GetRoleCredentials", "GetCallerIdentity"])
def test_who_answers_in_place_of_aws(terminal: Terminal, operation: str, fault: Fault, words: str) -> None:
    """boto3's own call for the credentials, and ours."""
    terminal.seed()
    terminal.standin.fault(operation, fault, times=None)
    assert words in said(terminal.call("whoami", "dev"))


def test_a_proxy_is_named_by_its_variable_alone(logged_in: Terminal) -> None:
    logged_in.patch.setenv("AWS_ENDPOINT_URL_STS", "https://elsewhere.invalid")
    logged_in.patch.setenv("https_proxy", "http://user:hush@127.0.0.1:9")
    err = said(logged_in.run("whoami", "dev"))
    assert "(ProxyConnectionError)\n  Check the proxy that https_proxy names" in err
    assert "hush" not in err


def test_a_host_that_has_no_address(terminal: Terminal) -> None:
    """As botocore says it; which host that is tells a mistyped region."""
    host = "sts.eu-wset-1.amazonaws.com"
    cause = NameResolutionError(host, HTTPSConnection(host), OSError(-2, "Name or service not known"))  # type: ignore[arg-type]
    found = Causes("dev", terminal.paths, {}).failed(
        EndpointConnectionError(endpoint_url=f"https://{host}/", error=cause)
    )
    assert found.message == "AWS cannot be reached (EndpointConnectionError)"
    assert str(found.remedy).startswith(f"No address is found for {host}: check the region")


@pytest.mark.parametrize(
    ("valid", "bundle", "words"),
    [
        (None, None, "The certificate is not trusted. Where a proxy looks into TLS, AWS_CA_BUNDLE"),
        (None, "missing", "AWS_CA_BUNDLE names {missing}, which is no readable CA bundle"),
        (None, "empty", "AWS_CA_BUNDLE names {empty}, which is no readable CA bundle"),
        (None, "config", "Check ca_bundle in the AWS config"),
        (("20200101000000Z", "20200201000000Z"), "own", "check this machine's clock"),
        (("20980101000000Z", "20990101000000Z"), "own", "check this machine's clock"),
    ],
)
def test_certificates(
    logged_in: Terminal, tmp_path: Path, valid: tuple[str, str] | None, bundle: str | None, words: str
) -> None:
    own = tls.certificate(tmp_path, valid) if valid else tls.certificate(tmp_path)
    files = {"own": own.path, "missing": tmp_path / "missing", "empty": tmp_path / "empty"}
    files["empty"].touch()
    if bundle == "config":
        head, mark, profile = logged_in.config.read_text().partition("[profile dev]\n")
        logged_in.config.write_text(f"{head}{mark}ca_bundle = {files['missing']}\n{profile}")
        logged_in.patch.setenv("SSL_CERT_FILE", str(own.path))  # which boto3 does not look at
    elif bundle:
        logged_in.patch.setenv("AWS_CA_BUNDLE", str(files[bundle]))
    with tls.server(own) as url:
        logged_in.patch.setenv("AWS_ENDPOINT_URL_STS", url)
        err = said(logged_in.run("whoami", "dev"))
    assert err.startswith("credhelper: AWS cannot be reached (SSLError)\n")
    assert words.format(**files) in err


def test_tls_with_somebody_who_speaks_none(logged_in: Terminal) -> None:
    logged_in.patch.setenv("AWS_ENDPOINT_URL_STS", logged_in.standin.url.replace("http:", "https:"))
    assert "TLS fails" in said(logged_in.run("whoami", "dev"))


@pytest.mark.parametrize(
    ("fault", "reason", "remedy"),
    [
        (Fault.drop(), "AWS cannot be reached: the connection was closed", "Check the network; the background"),
        (Fault.captive_page(), "the network answers with a sign-in page of its own", "Log in to this network first"),
        (Fault.error("InternalServerException"), "AWS has an internal error", "Try again"),
    ],
)
def test_what_the_daemon_meets_on_its_way(
    terminal: Terminal, daemon: Agent, fault: Fault, reason: str, remedy: str
) -> None:
    find_the_standin(terminal)
    terminal.seed()
    assert terminal.run("enable", "dev", "--yes").code == 0
    daemon.call("reload")
    terminal.standin.fault("GetRoleCredentials", fault)
    assert said(terminal.run("whoami", "dev")).startswith(f"credhelper: no credentials for dev: {reason}\n  {remedy}")


def test_what_nobody_foresaw(terminal: Terminal) -> None:
    found = Causes("dev", terminal.paths, {}).failed(UnknownRegionError(region_name="mars", error_msg="no such"))
    assert found.message == "boto3 failed: UnknownRegionError"
    assert str(found.remedy).startswith("Run `credhelper doctor`")


# --- the clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "words"), [(20, "20 minutes behind"), (-20, "20 minutes ahead")])
@pytest.mark.parametrize("code", ["ExpiredToken", "SignatureDoesNotMatch", "InvalidClientTokenId"])
def test_a_clock_that_is_off(logged_in: Terminal, code: str, minutes: int, words: str) -> None:
    logged_in.standin.configure(clock=lambda: time.time() + minutes * 60 + (5 if minutes > 0 else -5))
    logged_in.standin.fault("GetCallerIdentity", Fault.error(code, status=403))
    err = said(logged_in.run("whoami", "dev"))
    assert err.startswith("credhelper: this machine's clock is off by more than AWS accepts\n")
    assert f"It is {words}. Set the clock" in err


@pytest.mark.parametrize("date", [None, "nonsense", "Mon, 99 Nov 2026 08:00:00 GMT"])
def test_an_answer_without_a_date_says_nothing_of_the_clock(terminal: Terminal, date: str | None) -> None:
    headers = {} if date is None else {"date": date}
    response = {"Error": {"Code": "ExpiredToken"}, "ResponseMetadata": {"HTTPHeaders": headers}}
    found: CredhelperError = Causes("dev", terminal.paths, {}).refused(response, "GetCallerIdentity")
    assert isinstance(found, LoginNeeded)
    assert found.message == "the credentials of dev have expired"
