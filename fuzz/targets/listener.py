"""Any bytes from anybody at the login's listener: the right request alone ends it, all else gets 400 or nothing.

An input is a little play: pieces that clients send, one at a time, on several connections, with the listener's turn
between them. The connections are socket pairs, taken in as accepted ones are.
"""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import unquote_to_bytes

from credhelper.aws.login import page
from credhelper.aws.login.listener import Answer, Listener

MAX_LEN = 900
LINES = False
STATE = "the-right-state"
PIECE = b"\n--\n"  # the next piece follows
OTHER = b"\n==\n"  # the next piece is another connection's
WORDS = (
    PIECE, OTHER, b"\r\n", b"\r\n\r\n", b"GET ", b"POST ", b"HEAD ", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n",
    b" HTTP/2\r\n", b"/oauth/callback", b"/oauth/callback?", b"//x/oauth/callback?",
    b"http://127.0.0.1/oauth/callback?", b"?", b"#", b"&", b"&state=", b"state=the-right-state",
    b"state=the-right-stat%65", b"code=abc", b"error=access_denied", b"%00", b"%0d%0a", b"Host: 127.0.0.1:PORT\r\n",
    b"Host: localhost:PORT\r\n", b"Host: evil\r\n", b"host:127.0.0.1:PORT\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"Expect: 100-continue\r\n", b"\t", b"\x00",
    b"\xff", b"/../", b";", b"%", b"+", b"[", b"]", b"@",
)  # fmt: skip
_GOOD = b"GET /oauth/callback?code=abc&state=the-right-state HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
_HUGE = b"HUGE"  # stands for more than a head may hold


def seeds() -> list[bytes]:
    """The right request, whole and in pieces, behind others and beside others."""
    bad = b"GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
    denied = b"GET /oauth/callback?error=access_denied&state=the-right-state HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n"
    return [
        b"",
        _GOOD,
        denied,
        _GOOD[:20] + PIECE + _GOOD[20:],
        bad + _GOOD,
        bad + OTHER + _GOOD,
        _GOOD.replace(b"the-right", b"the-wrong") + OTHER + b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /" + _HUGE,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + OTHER + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]


def one(data: bytes) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(Listener(STATE))
        port = str(listener.port).encode()
        said: list[bytes] = []
        clients: list[socket.socket] = []
        for part in data.split(OTHER)[:6]:
            clients.append(_connect(stack, listener))
            said.append(b"")
            for piece in part.split(PIECE)[:8]:
                sent = piece.replace(b"PORT", port).replace(_HUGE, b"x" * 70_000, 1)
                said[-1] += sent
                _send(clients[-1], sent)
                answer = _turn(listener)
                if answer is not None:
                    _check_right(answer, said[-1])
                    listener.finish(page.success("s"))
                    assert _heard(clients[-1]).startswith(b"HTTP/1.1 200 OK\r\n")
                    return
        for client, sent in zip(clients, said, strict=True):
            _check_stray(_heard(client), sent)
        last = _connect(stack, listener)
        _send(last, _GOOD.replace(b"PORT", port))
        assert listener.wait(1)[0] == Answer("abc"), "the right request does not end it any more"


def _connect(stack: contextlib.ExitStack, listener: Listener) -> socket.socket:
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    listener.take(theirs)
    return ours


def _send(client: socket.socket, data: bytes) -> None:
    client.setblocking(True)
    with contextlib.suppress(OSError):  # it was answered and hung up on
        client.sendall(data)


def _turn(listener: Listener) -> Answer | None:
    """Let it see to all that was sent: read, answer, hang up."""
    for _ in range(6):
        answer, _ = listener.wait(0)
        if answer is not None:
            return answer
    return None


def _heard(client: socket.socket) -> bytes:
    client.setblocking(False)
    heard = b""
    with contextlib.suppress(OSError):
        while part := client.recv(65536):
            heard += part
    return heard


def _check_right(answer: Answer, said: bytes) -> None:
    """By other means than the listener's own."""
    head, end, _ = said.partition(b"\r\n\r\n")
    assert end
    line = head.split(b"\r\n")[0]
    assert line.startswith(b"GET /oauth/callback?")
    assert line.split(b" ")[2].startswith(b"HTTP/1.")
    names = [pair.partition(b"=") for pair in line.split(b" ")[1].partition(b"?")[2].partition(b"#")[0].split(b"&")]
    states = [value for name, _, value in names if unquote_to_bytes(name.replace(b"+", b" ")) == b"state" and value]
    assert [unquote_to_bytes(state.replace(b"+", b" ")) for state in states] == [STATE.encode()]
    assert head.lower().count(b"\r\nhost:") == 1
    assert answer.code or answer.error


def _check_stray(heard: bytes, said: bytes) -> None:
    complete = b"\r\n\r\n" in said or len(said) > 65_536
    if complete:
        assert heard.startswith(b"HTTP/1.1 400 Bad Request\r\n"), heard[:100]
        assert heard.count(b"HTTP/1.1 ") == 1
    else:
        assert heard == b""
