"""Anything at all sent to the login's listener over TCP, in any pieces, while the right request is on its way."""

from __future__ import annotations

import contextlib
import socket
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from credhelper.aws.login import page
from credhelper.aws.login.listener import Answer, Listener

STATE = "the-right-state"
PARTS = [
    b"GET /oauth/callback?code=evil&state=wrong HTTP/1.1\r\n",
    b"GET /oauth/callback?code=evil&state=the-right-stat HTTP/1.1\r\n",
    b"POST /oauth/callback?code=evil&state=the-right-state HTTP/1.1\r\n",
    b"GET //evil/oauth/callback?code=evil&state=the-right-state HTTP/1.1\r\n",
    b"Host: 127.0.0.1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 99999999\r\n",
    b"\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"x" * 40_000,
    b"\x16\x03\x01\x02\x00",
]
clients = st.lists(st.lists(st.sampled_from(PARTS) | st.binary(max_size=50), max_size=6), max_size=4)


@settings(max_examples=60)
@given(clients)
def test_nobody_holds_the_right_request_up(plays: list[list[bytes]]) -> None:
    heard: list[bytes] = []

    def act(port: int) -> None:
        with contextlib.ExitStack() as stack:
            for parts in plays:
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                with contextlib.suppress(ConnectionError):
                    for part in parts:
                        sock.sendall(part)
            request = f"GET /oauth/callback?code=abc&state={STATE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
            right = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            right.sendall(request.encode())
            heard.append(right.recv(65536))

    with Listener(STATE) as listener:
        thread = threading.Thread(target=act, args=(listener.port,))
        thread.start()
        answer, _ = listener.wait(20)
        listener.finish(page.success("s"))
        thread.join(20)
    assert not thread.is_alive()
    assert answer == Answer("abc")
    assert heard[0].startswith(b"HTTP/1.1 200 OK\r\n")
