"""Trouble on demand, seen by a botocore client and by a bare socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)

from credhelper.standin import Fault, StandIn

Refused = Callable[[Callable[[], Any]], tuple[str, int]]


@pytest.fixture
def token(standin: StandIn) -> dict[str, str]:
    return standin.seed_session()


def test_an_error_so_many_times(standin: StandIn, clients: Any, token: Any, refused: Refused) -> None:
    standin.fault("CreateToken", Fault.error("InternalServerException"), times=2)
    for _ in range(2):
        assert refused(lambda: clients.refresh(token)) == ("InternalServerException", 500)
    assert clients.refresh(token)


def test_an_error_with_a_status_of_its_own(standin: StandIn, clients: Any, token: Any, refused: Refused) -> None:
    with standin.fault("GetRoleCredentials", Fault.error("Whatever", status=503)):
        assert refused(lambda: clients.role(token["accessToken"])) == ("Whatever", 503)
    assert clients.role(token["accessToken"])


def test_a_fault_for_one_grant_only(standin: StandIn, clients: Any, token: Any, refused: Refused) -> None:
    standin.fault("CreateToken", Fault.error("SlowDownException"), detail="authorization_code")
    assert clients.refresh(token)
    standin.fault("CreateToken", Fault.error("SlowDownException"), detail="refresh_token")
    assert refused(lambda: clients.refresh(token)) == ("SlowDownException", 400)
    standin.clear_faults("CreateToken")
    assert clients.refresh(token)


@pytest.mark.parametrize("fault", [Fault.drop(), Fault.reset(), Fault.drop(delay=0.01)])
def test_a_connection_without_an_answer(standin: StandIn, clients: Any, token: Any, fault: Fault) -> None:
    standin.fault("*", fault, times=1)
    with pytest.raises(ConnectionClosedError):
        clients.role(token["accessToken"])
    call = standin.wait_for("GetRoleCredentials")[0]
    assert (call.status, call.error_code) == (None, fault.kind)
    assert clients.role(token["accessToken"])


def test_a_reset_is_one(standin: StandIn) -> None:
    standin.fault("IndexPage", Fault.reset())
    standin.fault("CaptivePage", Fault.drop())
    with bare(standin, "/captive") as connection:
        assert connection.recv(1) == b""
    with bare(standin, "/") as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)


def test_silence_lasts_until_the_fault_is_removed(standin: StandIn) -> None:
    placed = standin.fault("IndexPage", Fault.silence(), times=1)
    with bare(standin, "/") as connection:
        standin.wait_for("IndexPage", done=None)
        assert standin.calls("IndexPage", done=True) == []
        placed.remove()
        assert connection.recv(1) == b""


def test_a_silent_service_runs_into_the_clients_timeout(standin: StandIn, clients: Any, token: Any) -> None:
    impatient = clients.make("sso", read_timeout=0.1)
    standin.fault("ListAccounts", Fault.silence())
    with pytest.raises(ReadTimeoutError):
        impatient.list_accounts(accessToken=token["accessToken"])


@pytest.mark.parametrize("fault", [Fault.silence(), Fault.hold(), Fault.slow(3600), Fault.drip(), Fault.drip(3600)])
def test_stopping_ends_what_waits(start: Callable[..., StandIn], fault: Fault) -> None:
    standin = start()
    standin.fault("IndexPage", fault)
    with bare(standin, "/") as connection:
        standin.wait_for("IndexPage", done=None)
        standin.stop()
        connection.settimeout(10)
        while connection.recv(65536):
            pass
    assert not [thread for thread in threading.enumerate() if thread.name == "standin"]


def test_held_calls_go_on_together(standin: StandIn, clients: Any, token: Any) -> None:
    placed = standin.fault("GetRoleCredentials", Fault.hold())
    sso = clients.sso
    ask = {"accountId": "100000000001", "roleName": "AWSReadOnlyAccess", "accessToken": token["accessToken"]}
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(sso.get_role_credentials, **ask) for _ in range(5)]
        assert len(standin.wait_for("GetRoleCredentials", 5, done=False)) == 5
        assert not any(future.done() for future in waiting)
        placed.remove()
        assert all(future.result() for future in waiting)


def test_captive_portals(standin: StandIn, clients: Any, token: Any) -> None:
    with standin.fault("ListAccounts", Fault.captive_page()):
        answer = clients.sso.list_accounts(accessToken=token["accessToken"])
    assert set(answer) == {"ResponseMetadata"}
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"].startswith("text/html")
    with (
        standin.fault("ListAccounts", Fault.captive_redirect()),
        pytest.raises(ClientError) as caught,
    ):
        clients.sso.list_accounts(accessToken=token["accessToken"])
    metadata: Any = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 302
    assert metadata["HTTPHeaders"]["location"] == "/captive"


@pytest.mark.parametrize("fault", [Fault.cut(), Fault.torn(), Fault.empty(status=200)])
def test_half_an_answer_looks_to_botocore_like_one_without_members(
    standin: StandIn, clients: Any, token: Any, fault: Fault
) -> None:
    standin.fault("ListAccounts", fault, times=1)
    assert set(clients.sso.list_accounts(accessToken=token["accessToken"])) == {"ResponseMetadata"}
    assert clients.sso.list_accounts(accessToken=token["accessToken"])["accountList"]


@pytest.mark.parametrize(("fault", "error"), [(Fault.garbage(), UnicodeDecodeError), (Fault.empty(), ClientError)])
def test_answers_that_cannot_be_used(
    standin: StandIn, clients: Any, token: Any, fault: Fault, error: type[Exception]
) -> None:
    standin.fault("ListAccounts", fault, times=1)
    with pytest.raises(error):
        clients.sso.list_accounts(accessToken=token["accessToken"])
    assert clients.sso.list_accounts(accessToken=token["accessToken"])


def test_an_answer_that_counted_can_be_lost(standin: StandIn, clients: Any, token: Any, refused: Refused) -> None:
    standin.configure(rotate_refresh_tokens=True)
    standin.fault("CreateToken", Fault.drop(), times=1)
    with pytest.raises(ConnectionClosedError):
        clients.refresh(token)
    standin.fault("CreateToken", Fault.drop(after=True), times=1)
    with pytest.raises(ConnectionClosedError):
        clients.refresh(token)
    assert refused(lambda: clients.refresh(token)) == ("InvalidGrantException", 400)


def test_a_fault_happens_at_least_once(standin: StandIn) -> None:
    with pytest.raises(ValueError, match="at least once"):
        standin.fault("*", Fault.drop(), times=0)


def bare(standin: StandIn, path: str) -> socket.socket:
    port = int(standin.url.rpartition(":")[2])
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return connection


@pytest.mark.parametrize("head", [False, True])
def test_an_answer_drips_until_the_fault_is_removed(standin: StandIn, *, head: bool) -> None:
    placed = standin.fault("IndexPage", Fault.drip(0.001, head=head))
    received = b""
    with bare(standin, "/") as connection:
        while len(received) < 500:
            received += connection.recv(1)
        placed.remove()
        while connection.recv(65536):
            pass
    start = b"HTTP/1.1 200 OK\r\nX-Endless: " if head else b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    assert received.startswith(start)
    assert (b"\r\n\r\n" in received) is not head
    assert received.endswith(b" " * 300)


def test_a_torn_answer_promises_more_than_it_brings(standin: StandIn) -> None:
    standin.fault("IndexPage", Fault.torn())
    received = b""
    with bare(standin, "/") as connection:
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    promised = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert 0 < len(body) < promised
