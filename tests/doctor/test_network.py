"""Whether AWS can be reached, as it is and with each fault."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from credhelper import settings
from credhelper.agent import Agent
from credhelper.doctor import asking, network
from credhelper.model import Endpoints, Session
from credhelper.standin import Fault
from tests import tls
from tests.doctor.clinic import Clinic
from tests.machine import section
from tests.support import MakeStandIn

THEME = "Network"
Listen = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Serve each connection to a port of this machine by a function, until the test ends."""
    sockets: list[socket.socket] = []

    def start(serve: Callable[[socket.socket], None]) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def run() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    try:
                        serve(peer)
                    except OSError:
                        continue

        threading.Thread(target=run, daemon=True).start()
        port: int = listening.getsockname()[1]
        return port

    yield start
    for listening in sockets:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def at_aws(clinic: Clinic) -> None:
    """No endpoints of our own: AWS's, which the test leads to a proxy of its own."""
    clinic.paths.settings.write_text("")


def test_without_a_network_there_is_one_finding(clinic: Clinic) -> None:
    clinic.machine.write_config(section(Session("lab", "https://d-2.awsapps.com/start", "us-east-1")))
    lab = '[sessions.lab]\noidc = "http://127.0.0.1:7"\nportal = "http://127.0.0.1:8"\n'
    clinic.machine.write_settings(url="http://127.0.0.1:9")
    clinic.paths.settings.write_text(clinic.paths.settings.read_text() + lab)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind, finding.text) == ("offline", "problem", "AWS cannot be reached")
    assert finding.cause.startswith("127.0.0.1:9, 127.0.0.1:7, 127.0.0.1:8: no connection.")


@pytest.mark.parametrize(
    ("region", "url", "command"),
    [
        ("eu-west-1", None, "https://portal.sso.eu-west-1.amazonaws.com"),
        ("cn-north-1", None, "https://portal.sso.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", None, "https://portal.sso.eusc-de-east-1.amazonaws.eu"),
        ("eu-west-1", "http://127.0.0.1:9/", "http://127.0.0.1:9"),
        ("eu-west-1", "https://a;true", "'https://a;true'"),
    ],
)
def test_what_a_person_may_try(region: str, url: str | None, command: str) -> None:
    question = asking.Question(Session("corp", "https://d-1.awsapps.com/start", region), "sso", Endpoints(portal=url))
    assert network._try_command(question) == f"curl -sS -o /dev/null {command}"


def test_one_service_that_cannot_be_reached(clinic: Clinic) -> None:
    url = clinic.machine.standin.url
    clinic.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "http://127.0.0.1:9"\n')
    finding = clinic.one(THEME)
    assert (finding.check, finding.text) == ("unreachable", "127.0.0.1:9 cannot be reached")


def test_silence_is_not_waited_for_long(clinic: Clinic) -> None:
    clinic.patch.setattr(asking, "_TIMEOUT", 0.3)
    with clinic.machine.standin.fault("*", Fault.silence()):
        finding = clinic.one(THEME)
    assert finding.check == "offline"
    assert "no answer in time" in finding.cause


def test_a_look_up_that_hangs_keeps_nobody(clinic: Clinic) -> None:
    clinic.patch.setattr(asking, "_ALL_WITHIN", 0.3)
    over = threading.Event()
    clinic.patch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])
    try:
        assert "no answer in time" in clinic.one(THEME).cause
    finally:
        over.set()


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Fault.captive_page(), "captive-portal"),
        (Fault.captive_redirect(), "captive-portal"),
        (Fault.garbage(), "garbage"),
        (Fault.reset(), "offline"),
        (Fault.stranger(403), "offline"),
        (Fault.stranger(407), "proxy"),
    ],
)
def test_others_that_answer(clinic: Clinic, fault: Fault, check: str) -> None:
    with clinic.machine.standin.fault("*", fault):
        assert clinic.one(THEME).check == check
    assert clinic.look(THEME) == []


@pytest.mark.parametrize("offset", [-3600.0, 90.0, 3600.0])
def test_the_clock(clinic: Clinic, offset: float) -> None:
    clinic.machine.hands.forward(offset)
    clinic.machine.log_in()  # a login of that time
    clinic.machine.standin.configure(token_lifetime=86400)
    clinic.machine.log_in()
    (finding,) = (found for found in clinic.look(THEME) if found.check == "clock")
    assert finding.kind == ("hint" if offset == 90 else "problem")
    if offset != 90:
        assert ("fast" if offset < 0 else "slow") in finding.text
        assert "minutes" in finding.text
    assert finding.mend.command


def test_a_certificate_that_nobody_trusts(clinic: Clinic, tmp_path: Path) -> None:
    with tls.server(tls.certificate(tmp_path)) as url:
        clinic.machine.write_settings(url=url)
        finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("tls-untrusted", "problem")
    assert f"The clock here says {time.strftime('%Y-%m-%d', time.gmtime())}" in finding.cause
    assert finding.mend.command == "env AWS_CA_BUNDLE=/path/to/company.pem credhelper daemon start"


def test_a_proxy_that_asks_for_a_password(clinic: Clinic, listen: Listen) -> None:
    def refuse(peer: socket.socket) -> None:
        peer.recv(4000)
        peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

    at_aws(clinic)
    port = listen(refuse)
    clinic.patch.setenv("HTTPS_PROXY", f"http://alice:hush@127.0.0.1:{port}")
    settings.record_network(clinic.paths, {"HTTPS_PROXY": f"http://alice:hush@127.0.0.1:{port}"})
    finding = clinic.one(THEME)
    assert finding.check == "proxy"
    assert f"127.0.0.1:{port}" in finding.text
    assert "hush" not in clinic.run("doctor", "--json").out


def test_a_proxy_that_is_not_there(clinic: Clinic) -> None:
    at_aws(clinic)
    clinic.patch.setenv("https_proxy", "http://127.0.0.1:9")
    settings.record_network(clinic.paths, {"https_proxy": "http://127.0.0.1:9"})
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("proxy", "problem")
    assert finding.text.startswith("the proxy 127.0.0.1:9 does not lead to oidc.eu-west-1.amazonaws.com, portal.sso")


def test_two_ways_that_both_lead_to_aws(clinic: Clinic) -> None:
    """The stand-in is on this machine, and is reached directly by both."""
    clinic.patch.setenv("HTTPS_PROXY", "http://alice:hush@proxy.example.com:3128")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("network-recorded", "hint")
    assert "proxy (proxy.example.com:3128 here, none there)" in finding.text
    assert "hush" not in f"{finding}"
    assert not finding.mend.can_be_done
    assert clinic.run("daemon", "start").code == 0
    assert clinic.look(THEME) == []
    clinic.patch.delenv("HTTPS_PROXY")
    assert "proxy (none here, proxy.example.com:3128 there)" in clinic.one(THEME).text


def whole_request(peer: socket.socket) -> bytes:
    """One HTTP request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def company(clinic: Clinic, listen: Listen, tmp_path: Path) -> dict[str, str]:
    """A network in which AWS is behind a proxy alone, which looks into TLS; the variables that lead there."""
    own = tls.certificate(tmp_path, names="DNS:aws.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.path, own.key)
    port = int(clinic.machine.standin.url.rpartition(":")[2])

    def serve(peer: socket.socket) -> None:
        assert peer.recv(4000).startswith(b"CONNECT aws.example.com:443 ")
        peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with (
            context.wrap_socket(peer, server_side=True) as secure,
            socket.create_connection(("127.0.0.1", port)) as aws,
        ):
            aws.sendall(whole_request(secure).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            while part := aws.recv(65536):
                secure.sendall(part)

    clinic.machine.write_settings(url="https://aws.example.com")
    return {"HTTPS_PROXY": f"http://127.0.0.1:{listen(serve)}", "AWS_CA_BUNDLE": str(own.path)}


def test_a_proxy_that_the_daemon_has_not_heard_of(clinic: Clinic, company: dict[str, str]) -> None:
    settings.record_network(clinic.paths, {"HTTPS_PROXY": "http://127.0.0.1:9"})
    for name, value in company.items():
        clinic.patch.setenv(name, value)
    findings = {finding.check: finding for finding in clinic.look(THEME)}
    assert set(findings) == {"network-recorded", "proxy"}
    assert findings["network-recorded"].kind == "problem"
    assert "AWS answers by this shell's way alone" in findings["network-recorded"].cause
    clinic.run("doctor", "--fix", "--yes")
    assert clinic.look(THEME) == []
    assert settings.recorded_network(clinic.paths).ca_bundle == company["AWS_CA_BUNDLE"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, "proxy (127.0.0.1:9 here"),
        ({"AWS_CA_BUNDLE": "/nowhere"}, "CA bundle (/nowhere here"),
    ],
)
def test_a_shell_whose_way_leads_nowhere(
    clinic: Clinic, company: dict[str, str], changes: dict[str, str], said: str
) -> None:
    settings.record_network(clinic.paths, company)
    for name, value in {**company, **changes}.items():
        clinic.patch.setenv(name, value)
    findings = {finding.check: finding for finding in clinic.look(THEME)}
    finding = findings.pop("network-shell")
    assert set(findings) <= {"ca-bundle"}
    assert finding.kind == "problem"
    assert said in finding.text
    assert finding.mend.command == "unset HTTPS_PROXY AWS_CA_BUNDLE"
    clinic.run("doctor", "--fix", "--yes")
    assert settings.recorded_network(clinic.paths) == settings.network_of(company)[0]  # what works stays
    assert Agent(clinic.paths).running()  # though it is started


def test_where_neither_way_leads_to_aws(clinic: Clinic) -> None:
    at_aws(clinic)
    settings.record_network(clinic.paths, {"HTTPS_PROXY": "http://127.0.0.1:9"})
    clinic.patch.setenv("HTTPS_PROXY", "http://127.0.0.1:7")
    findings = {finding.check: finding for finding in clinic.look(THEME)}
    assert set(findings) == {"network-recorded", "proxy"}
    assert findings["network-recorded"].kind == "hint"
    assert not findings["network-recorded"].mend.can_be_done


def test_settings_of_the_network_are_meant(clinic: Clinic) -> None:
    path = clinic.paths.settings
    path.write_text(path.read_text() + '[network]\nproxy = "http://proxy.example.com:3128"\n')
    assert clinic.look(THEME) == []
    clinic.patch.setenv("HTTPS_PROXY", "socks5://x")
    assert clinic.one(THEME).check == "proxy-invalid"


@pytest.mark.parametrize(("content", "said"), [(None, "is not there"), ("nonsense", "holds no certificate")])
def test_ca_bundles(clinic: Clinic, tmp_path: Path, content: str | None, said: str) -> None:
    bundle = tmp_path / "company.pem"
    if content is not None:
        bundle.write_text(content)
    clinic.machine.write_config(f"[profile work]\nca_bundle = {bundle}\n")
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.words) == ("ca-bundle", "Correct ca_bundle of [work]")
    assert said in finding.text


def test_a_pipe_in_the_place_of_a_ca_bundle(clinic: Clinic, tmp_path: Path) -> None:
    bundle = tmp_path / "company.pem"
    os.mkfifo(bundle)
    clinic.machine.write_config(f"[profile work]\nca_bundle = {bundle}\n")
    assert clinic.one(THEME).text == f"the CA bundle {bundle} is no regular file"


def test_a_token_that_aws_does_not_accept(clinic: Clinic) -> None:
    clinic.machine.standin.revoke_sessions()
    asked, logins = clinic.themes(THEME, "Logins")
    assert asked.findings == []
    (finding,) = logins.findings
    assert (finding.check, finding.mend.command) == ("token-refused", "credhelper login --force corp")
    assert logins.wells == []  # nothing says that all is well with it
    # What was asked once is known in the second look, too.
    assert "token-refused" in clinic.run("doctor", "--fix", "--yes", "--json").out


def test_a_token_of_other_scopes(clinic: Clinic) -> None:
    with clinic.machine.standin.fault("ListAccounts", Fault.error("ForbiddenException", status=403)):
        finding = clinic.one(THEME, "Logins")
    assert (finding.check, finding.kind) == ("token-scopes", "problem")


def test_trouble_of_aws_itself(clinic: Clinic) -> None:
    with clinic.machine.standin.fault("ListAccounts", Fault.error("InternalServerException", status=500)):
        finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("aws-trouble", "hint")


def test_each_service_is_asked_once(clinic: Clinic) -> None:
    assert clinic.look(THEME) == []
    assert [call.operation for call in clinic.machine.standin.calls()].count("CreateToken") == 1
    assert [call.operation for call in clinic.machine.standin.calls()].count("ListAccounts") == 1
    clinic.machine.token_file.unlink()
    clinic.machine.standin.clear_calls()
    assert clinic.look(THEME) == []  # without a login it is asked as nobody, and refused
    assert sorted(call.operation for call in clinic.machine.standin.calls()) == ["CreateToken", "ListAccounts"]


def test_sessions_of_two_organizations(clinic: Clinic, make_standin: MakeStandIn) -> None:
    other = make_standin()
    clinic.machine.write_config(section(Session("lab", "https://d-2.awsapps.com/start", "us-east-1")))
    path = clinic.paths.settings
    path.write_text(path.read_text() + f'[sessions.lab]\noidc = "{other.url}"\nportal = "{other.url}"\n')
    assert clinic.look(THEME) == []
    # A token never goes to the other one.
    assert [call.error_code for call in other.calls("ListAccounts")] == ["UnauthorizedException"]


def test_many_sessions_are_asked_side_by_side(clinic: Clinic) -> None:
    standin, names = clinic.machine.standin, [f"customer-{number}" for number in range(40)]
    sessions = [Session(name, f"https://{name}.awsapps.com/start", "eu-west-1") for name in names]
    clinic.machine.write_config("".join(map(section, sessions)))
    text = "".join(f'[sessions.{name}]\noidc = "{standin.url}"\nportal = "{standin.url}"\n' for name in names)
    clinic.paths.settings.write_text(clinic.paths.settings.read_text() + text)
    for session in sessions:
        clinic.machine.log_in(session)
    # On a busy machine too each has its time; one after the other they would take longer than there is for all.
    clinic.patch.setattr(asking, "_TIMEOUT", 30.0)
    clinic.patch.setattr(asking, "_ALL_WITHIN", 30.0)
    with standin.fault("ListAccounts", Fault.slow(1.0)):
        assert clinic.look(THEME) == []
    assert len(standin.calls("ListAccounts")) == 41
    assert len(standin.calls("CreateToken")) == 1


def test_no_session_asks_nobody(clinic: Clinic) -> None:
    clinic.machine.config.write_text("[profile plain]\nregion = eu-west-1\n")
    assert clinic.look(THEME) == []
    assert clinic.machine.standin.calls() == []
