"""The listener for the browser: what it takes, what it refuses, and that nobody can hold it up."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from credhelper.aws.login import page
from credhelper.aws.login.listener import Answer, Listener, read_answer

STATE = "the-right-state"
GOOD = f"/oauth/callback?code=abc&state={STATE}"


def request(port: int, target: str, *, method: str = "GET", host: str | None = None, more: str = "") -> bytes:
    name = f"127.0.0.1:{port}" if host is None else host
    return f"{method} {target} HTTP/1.1\r\nHost: {name}\r\n{more}\r\n".encode()


@contextlib.contextmanager
def client(port: int, data: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(data)
        yield sock


def answer_to(sock: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(STATE) as made:
        yield made


def serve_beside(listener: Listener, act: Callable[[], bytes]) -> bytes:
    """Serve until `act`, which runs beside it, has its answer; the listener must not end by it."""
    result: list[bytes] = []
    thread = threading.Thread(target=lambda: result.append(act()))
    thread.start()
    while thread.is_alive():
        assert listener.wait(0.02) == (None, False)
    thread.join()
    return result[0]


def test_the_right_request_ends_it_and_waits_for_its_page(listener: Listener) -> None:
    with client(listener.port, request(listener.port, GOOD)) as sock:
        assert listener.wait(10) == (Answer("abc"), False)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listener.port), timeout=10)
        listener.finish(page.success("corp"))
        assert answer_to(sock).startswith(b"HTTP/1.1 200 OK\r\n")


def test_localhost_is_a_name_of_ours(listener: Listener) -> None:
    with client(listener.port, request(listener.port, GOOD, host=f"LocalHost:{listener.port}")):
        assert listener.wait(10)[0] == Answer("abc")


def test_an_error_is_an_answer(listener: Listener) -> None:
    target = f"/oauth/callback?error=access_denied&state={STATE}"
    with client(listener.port, request(listener.port, target)):
        assert listener.wait(10)[0] == Answer(None, "access_denied")


def test_a_request_in_many_pieces_is_put_together(listener: Listener) -> None:
    with client(listener.port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(listener.port, GOOD)[:-1]:
            sock.sendall(bytes([byte]))
            assert listener.wait(0)[0] is None
        sock.sendall(b"\n")
        assert listener.wait(10)[0] == Answer("abc")


@pytest.mark.parametrize(
    "data",
    [
        lambda port: request(port, "/oauth/callback?code=abc&state=wrong"),
        lambda port: request(port, "/oauth/callback?code=abc"),
        lambda port: request(port, f"/oauth/callback?code=abc&state={STATE}&state={STATE}"),
        lambda port: request(port, f"/oauth/callback?code=abc&state={STATE}é"),
        lambda port: request(port, GOOD.replace("callback", "callback/")),
        lambda port: request(port, GOOD.replace("/oauth", "/x/oauth")),
        lambda port: request(port, f"//127.0.0.1{GOOD}"),
        lambda port: request(port, f"http://127.0.0.1:{port}{GOOD}"),
        lambda port: request(port, "/"),
        lambda port: request(port, "/favicon.ico"),
        lambda port: request(port, GOOD, method="POST"),
        lambda port: request(port, GOOD, method="HEAD"),
        lambda port: request(port, GOOD, method="get"),
        lambda port: request(port, GOOD, host="evil.example"),
        lambda port: request(port, GOOD, host=f"evil.example:{port}"),
        lambda port: request(port, GOOD, host="127.0.0.1"),
        lambda port: request(port, GOOD, host=f"127.0.0.1:{port + 1}"),
        lambda port: request(port, GOOD, host=""),
        lambda port: request(port, GOOD, more=f"Host: 127.0.0.1:{port}\r\n"),
        lambda _: f"GET {GOOD} HTTP/1.1\r\n\r\n".encode(),
        lambda port: f"GET {GOOD}\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode(),
        lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        lambda _: b"\x00" * 70_000,
        lambda _: b"\r\n\r\n",
        lambda port: request(port, "/oauth/callback?" + "&".join(f"a{n}=1" for n in range(100))),
    ],
)
def test_everything_else_gets_400_and_does_not_end_it(listener: Listener, data: Callable[[int], bytes]) -> None:
    def act() -> bytes:
        with client(listener.port, data(listener.port)) as sock:
            return answer_to(sock)

    reply = serve_beside(listener, act)
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    with client(listener.port, request(listener.port, GOOD)):
        assert listener.wait(10)[0] == Answer("abc")


def test_silent_and_slow_clients_hold_nobody_up(listener: Listener) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(client(listener.port))
            listener.wait(0)
        stack.enter_context(client(listener.port, b"GET /oauth/callb"))
        assert listener.wait(0) == (None, False)
        with client(listener.port, request(listener.port, GOOD)) as sock:
            assert listener.wait(10)[0] == Answer("abc")
            listener.finish(page.success("corp"))
            assert b"You are logged in" in answer_to(sock)


@pytest.mark.parametrize("beside_input", [False, True], ids=["default selector", "select"])
def test_the_oldest_makes_room_while_it_has_something_to_say(beside_input: bool) -> None:
    read_end, write_end = os.pipe()
    try:
        with Listener(STATE, read_end if beside_input else None) as listener, contextlib.ExitStack() as stack:
            held = []
            for _ in range(64):
                held.append(stack.enter_context(client(listener.port)))
                assert listener.wait(0) == (None, False)
            # Now the next client and all those held are ready at once, and the oldest of them has to go.
            stack.enter_context(client(listener.port))
            for sock in held:
                sock.sendall(b"G")
            assert listener.wait(0) == (None, False)
            assert answer_to(held[0]) == b""
            with client(listener.port, request(listener.port, GOOD)):
                assert listener.wait(10)[0] == Answer("abc")
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_client_that_is_too_slow_is_hung_up_on(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credhelper.aws.login.listener._PATIENCE", 0.05)

    def act() -> bytes:
        with client(listener.port, b"GET / HTTP/1.1\r\n") as sock:
            return answer_to(sock)

    assert serve_beside(listener, act) == b""


def test_clients_that_go_away_are_no_trouble(listener: Listener) -> None:
    for data in (b"", b"GET", request(listener.port, "/")):
        with client(listener.port, data) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        listener.wait(0.02)
    with client(listener.port, request(listener.port, GOOD)) as sock:
        assert listener.wait(10)[0] == Answer("abc")
    listener.finish(page.success("corp"))


def test_a_browser_that_is_gone_at_the_end_is_no_error(listener: Listener) -> None:
    with client(listener.port, request(listener.port, GOOD)) as sock:
        assert listener.wait(10)[0] == Answer("abc")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    listener.finish(page.success("corp"))
    listener.finish(page.success("corp"))


def test_it_binds_loopback_alone(listener: Listener) -> None:
    assert listener.redirect_uri == f"http://127.0.0.1:{listener.port}/oauth/callback"
    assert listener._socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "content", [page.success("<b>&\"'"), page.failure("<script>alert(1)</script>"), page.stray()]
)
def test_pages_are_self_contained(content: bytes) -> None:
    head, _, body = content.partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert int(headers[b"Content-Length"]) == len(body)
    assert headers[b"Cache-Control"] == b"no-store"
    assert headers[b"Referrer-Policy"] == b"no-referrer"
    assert b"default-src 'none'" in headers[b"Content-Security-Policy"]
    assert b"<script" not in body
    assert b"<b>&" not in body
    assert b"src=" not in body
    assert set(re.findall(rb"href=\W*(\w*)", body)) == {b"data"}
    assert b"url(" not in body
    assert b"prefers-color-scheme:dark" in body


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (f"http://127.0.0.1:1/oauth/callback?code=a&state={STATE}", Answer("a")),
        (f"http://127.0.0.1:1/oauth/callback?state={STATE}&code=a%2Bb", Answer("a+b")),
        (f"/oauth/callback?code=a&code=b&state={STATE}", Answer(None, "no code")),
        (f"/oauth/callback?code=&state={STATE}", Answer(None, "no code")),
        (f"/oauth/callback?code=a&error=e&state={STATE}", Answer(None, "e")),
        (f"/oauth/callback#code=a&state={STATE}", None),
        (f"/oauth/call\tback?code=a&state={STATE}", None),
        (f"/oauth/callback?code=a&state=\r{STATE}", None),
        ("http://[oauth/callback", None),
        ("", None),
    ],
)
def test_reading_an_address(target: str, expected: Answer | None) -> None:
    assert read_answer(target, STATE) == expected


def test_a_code_is_not_in_the_repr() -> None:
    assert "secret" not in repr(Answer("secret"))
