"""Servers that speak TLS with certificates of their own, made by `openssl`."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_ALWAYS = ("20200101000000Z", "20990101000000Z")
_CONFIG = """\
[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = extensions
[any]
commonName = supplied
[extensions]
subjectAltName = {names}
basicConstraints = critical, CA:TRUE
[req]
distinguished_name = name
[name]
"""


@dataclass(frozen=True)
class Certificate:
    """A self-signed one for this machine; `path` is the CA bundle in which it is trusted."""

    path: Path
    key: Path


def certificate(
    folder: Path, valid: tuple[str, str] = _ALWAYS, names: str = "IP:127.0.0.1, DNS:localhost"
) -> Certificate:
    """Make one in `folder` for these `names`, valid between two moments (`YYYYMMDDHHMMSSZ`)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl: install it with the system's package manager")
    (folder / "index").touch()
    (folder / "openssl.cnf").write_text(_CONFIG.format(names=names))
    new = "req -new -config openssl.cnf -nodes -keyout key -out request -subj /CN=localhost -newkey ec"
    sign = "ca -batch -config openssl.cnf -selfsign -keyfile key -in request -out certificate -notext"
    for arguments in (
        f"{new} -pkeyopt ec_paramgen_curve:prime256v1",
        f"{sign} -startdate {valid[0]} -enddate {valid[1]}",
    ):
        subprocess.run([openssl, *arguments.split()], cwd=folder, check=True, capture_output=True)
    return Certificate(folder / "certificate", folder / "key")


@contextlib.contextmanager
def server(own: Certificate) -> Iterator[str]:
    """A server's address; after the handshake it hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.path, own.key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(10)
                    context.wrap_socket(peer, server_side=True).close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
