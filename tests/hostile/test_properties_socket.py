"""Any bytes on the socket of a running daemon: others are served, its memory stays what it was, its log is quiet."""

from __future__ import annotations

import contextlib
import os
import socket
import time

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credhelper import client
from credhelper.agent import Agent
from credhelper.paths import Paths

VERBS = [b"ping", b"credentials", b"status", b"forget", b"login-lease", b"accounts", b"none", b""]
NAMES = [b"home", b"session", b"account", b"role", b"key", b"config", b"folder", b"parent", b""]
NAMES += [b"name", b"start_url", b"region", b"scopes", b"legacy", b"fresh"]
# `stop` is left out: it is obeyed.
requests = st.builds(
    lambda verb, fields: client.encode_request(verb, dict(fields)),
    st.sampled_from(VERBS),
    st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=80).filter(lambda value: b"\0" not in value))),
)
lengths = st.sampled_from([0, 1, 5, client.MAX_REQUEST, client.MAX_REQUEST + 1, 2**31, 2**32 - 1])
frames = (
    st.binary(max_size=200) | requests | st.builds(lambda n, body: n.to_bytes(4, "big") + body, lengths, st.binary())
)


def say(address: bytes, sent: bytes) -> bytes:
    """What the daemon answers to these bytes before it hangs up."""
    with contextlib.closing(client.connect(address, os.geteuid(), time.monotonic() + 10)) as sock:
        sock.settimeout(10)
        heard = b""
        with contextlib.suppress(ConnectionError):
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                heard += part
        return heard


@pytest.fixture
def address(daemon: Agent, paths: Paths) -> bytes:
    found = str(daemon.status()["daemon"]["socket"])
    assert found
    return os.fsencode(found)


def test_any_bytes_cost_their_connection_alone(daemon: Agent, address: bytes, paths: Paths) -> None:
    process = psutil.Process(int(daemon.status()["daemon"]["pid"]))
    home = b"home=" + os.fsencode(paths.home)

    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(frames, st.booleans())
    def each(frame: bytes, ours: bool) -> None:
        if ours and len(frame) > 4:
            body = frame[4:].replace(b"home=", home + b"\0x=")
            frame = len(body).to_bytes(4, "big") + body
        heard = say(address, frame)
        while heard:
            size = int.from_bytes(heard[:4], "big")
            assert 1 <= size <= client.MAX_REPLY
            assert len(heard) >= 4 + size
            heard = heard[4 + size :]

    each()
    before, descriptors = process.memory_info().rss, process.num_fds()
    large = client.MAX_REQUEST.to_bytes(4, "big") + b"x" * client.MAX_REQUEST
    for _ in range(200):
        say(address, large)
        say(address, b"\xff\xff\xff\xff" + large)
    assert daemon.running()
    assert process.memory_info().rss - before < 16 * 2**20
    assert process.num_fds() <= descriptors + 2
