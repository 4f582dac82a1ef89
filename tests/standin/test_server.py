"""HTTP, routing, the record of calls, and how the models bind what is sent."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

import credhelper
from credhelper.standin import Settings, StandIn, protocol
from credhelper.standin.calls import caller_of
from credhelper.standin.messages import ServiceError


def connect(standin: StandIn) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", int(standin.url.rpartition(":")[2]), timeout=30)


def ask(
    standin: StandIn, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    with closing(connect(standin)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def test_where_it_is(standin: StandIn) -> None:
    assert standin.url.startswith("http://127.0.0.1:")
    assert standin.environment == {
        "AWS_ENDPOINT_URL_SSO": standin.url,
        "AWS_ENDPOINT_URL_SSO_OIDC": standin.url,
        "AWS_ENDPOINT_URL_STS": standin.url,
    }
    assert (standin.endpoints.oidc, standin.endpoints.portal, standin.endpoints.sts) == (standin.url,) * 3


def test_it_has_no_address_before_it_starts() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _ = StandIn().url


def test_a_stop_is_harmless_when_repeated() -> None:
    standin = StandIn().start()
    standin.stop()
    standin.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(standin, "GET", "/")


def test_unknown_settings_are_refused(standin: StandIn) -> None:
    with pytest.raises(AttributeError, match="token_lifetme"):
        standin.configure(token_lifetme=1)


@pytest.mark.parametrize("sent", ["[]", "{", '{"clientName": 7, "clientType": "public"}', '{"clientName": "x"}'])
def test_input_that_the_model_forbids(standin: StandIn, sent: str) -> None:
    status, headers, body = ask(standin, "POST", "/client/register", sent)
    assert (status, headers["x-amzn-errortype"]) == (400, "InvalidRequestException")
    assert json.loads(body)["error"] == "invalid_request"


def test_lists_and_their_members_are_checked(standin: StandIn) -> None:
    for scopes in ("sso:account:access", [7]):
        sent = json.dumps({"clientName": "x", "clientType": "public", "scopes": scopes})
        assert ask(standin, "POST", "/client/register", sent)[0] == 400


def test_errors_of_the_portal_look_as_the_real_ones(standin: StandIn) -> None:
    path = "/federation/credentials?role_name=R&account_id=1"
    status, headers, body = ask(standin, "GET", path, headers={"x-amz-sso_bearer_token": "nothing"})
    assert (status, headers["x-amzn-errortype"]) == (401, "UnauthorizedException")
    assert json.loads(body) == {
        "message": "Session token not found or invalid",
        "__type": "com.amazonaws.switchboard.portal#UnauthorizedException",
    }
    assert ask(standin, "GET", path)[0] == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("POST", "/token?aws_iam=t"), ("DELETE", "/token"), ("GET", "/logout")],
)
def test_nothing_answers_to_other_requests(standin: StandIn, method: str, path: str) -> None:
    assert ask(standin, method, path)[0] == 404
    assert standin.calls()[0].operation == "Unknown"


@pytest.mark.parametrize("headers", [{"Content-Length": "x"}, {"Content-Length": "99999999"}])
def test_bodies_without_a_sane_length_are_refused(standin: StandIn, headers: dict[str, str]) -> None:
    assert ask(standin, "POST", "/token", headers=headers)[0] == 411


def test_connections_are_kept_alive(standin: StandIn) -> None:
    with closing(connect(standin)) as connection:
        ports = set()
        for _ in range(3):
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert b"local stand-in" in answer.read()
            ports.add(connection.sock.getsockname())
    assert len(ports) == 1


def test_300_connections_at_once(standin: StandIn) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(connect(standin))) for _ in range(300)]

        def go(connection: http.client.HTTPConnection) -> int:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            return answer.status

        with ThreadPoolExecutor(50) as pool:
            assert set(pool.map(go, connections)) == {200}
    assert len(standin.wait_for("IndexPage", 300)) == 300


def test_calls_are_recorded_without_secrets(standin: StandIn, clients: Any) -> None:
    token = standin.seed_session()
    clients.role(token["accessToken"])
    clients.refresh(token)
    ask(standin, "GET", "/", headers={"User-Agent": "aws-cli/2.38.5"})
    assert [(call.operation, call.detail, call.caller) for call in standin.calls()] == [
        ("GetRoleCredentials", "100000000001/AWSAdministratorAccess", "botocore"),
        ("CreateToken", "refresh_token", "botocore"),
        ("IndexPage", "", "aws-cli"),
    ]
    assert len(standin.calls("CreateToken", caller="Botocore", detail="refresh_token", done=True)) == 1
    assert standin.calls(caller="credhelper") == []
    seen = repr(standin.calls())
    assert not [secret for secret in standin.secrets() if secret in seen]
    standin.clear_calls()
    assert standin.calls() == []


def test_waiting_for_calls(standin: StandIn) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(standin.wait_for, lambda calls: len(calls) == 2)
        ask(standin, "GET", "/")
        ask(standin, "GET", "/device")
        assert [call.operation for call in waiting.result()] == ["IndexPage", "DevicePage"]
    with pytest.raises(TimeoutError, match="IndexPage"):
        standin.wait_for("Logout", timeout=0.01)


@pytest.mark.parametrize(
    ("user_agent", "caller"),
    [
        ("aws-cli/2.38.5 md/awscrt#0.38.0 ua/2.1", "aws-cli"),
        ("Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1", "boto3"),
        ("Botocore/1.44.5 ua/2.1 credhelper/0.1", "credhelper"),
        ("aws-sdk-js/3.700.0 ua/2.1 os/linux lang/js", "js"),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.9 aws-sdk-go-v2/1.30", "go"),
        ("curl/8", "other"),
    ],
)
def test_callers_are_known_by_their_user_agent(user_agent: str, caller: str) -> None:
    assert caller_of(user_agent) == caller


def test_an_output_that_the_model_does_not_know_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any) -> dict[str, Any]:
        return {"accountList": [], "surprise": 1}

    standin = StandIn().start()
    monkeypatch.setattr(standin._state, "perform", wrong)
    headers = {"x-amz-sso_bearer_token": "nothing"}
    assert ask(standin, "GET", "/assignment/accounts", headers=headers)[0] == 500
    with pytest.raises(LookupError, match="surprise"):
        standin.stop()


def test_a_bug_does_not_hide_the_tests_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> None:
        with StandIn() as standin:
            standin._bugs.append(LookupError("surprise"))
            raise ValueError("the test's own")

    with pytest.raises(ValueError, match="own") as caught:
        failing()
    assert "surprise" in caught.value.__notes__[0]


def test_outputs_and_errors_must_fit_the_model() -> None:
    route = protocol.routes()["RegisterClient"]
    with pytest.raises(TypeError, match="clientIdIssuedAt"):
        protocol.render_output(route, {"clientIdIssuedAt": 1.5})
    with pytest.raises(LookupError, match="NoSuchException"):
        protocol.render_error(route, ServiceError("NoSuchException", ""))
    with pytest.raises(LookupError, match="Logout"):
        protocol.render_output(protocol.routes()["Logout"], {"surprise": 1})


def test_every_modelled_error_can_be_sent() -> None:
    for route in protocol.routes().values():
        for shape in route.service_model.error_shapes:
            answer = protocol.render_error(route, ServiceError(shape.name, "<message> & more"))
            assert answer.status == shape.metadata["error"]["httpStatusCode"]
            assert b"message" in answer.body


def test_it_runs_in_the_foreground() -> None:
    command = [sys.executable, "-m", "credhelper.standin", "--accounts", "7", "--auto-approve"]
    root = Path(credhelper.__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("# sso_registration_scopes"):
                break
        process.terminate()
        assert process.wait(30) == 0
    url = next(line for line in lines if line.startswith("export AWS_ENDPOINT_URL_SSO="))
    assert url.startswith("export AWS_ENDPOINT_URL_SSO=http://127.0.0.1:")


def test_two_stand_ins_share_nothing(start: Callable[..., StandIn]) -> None:
    one, two = start(), start()
    one.configure(token_lifetime=1)
    assert two.settings.token_lifetime == Settings().token_lifetime
    assert one.url != two.url
