"""The demo as a process: what surrounds it, and whether anything is left of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil

# What a shell says that has read a file of the person's.
READ = "a-file-of-the-person-was-read"
HOME_PATH = re.compile(r"/tmp/credhelper-demo-[A-Za-z0-9_]+")  # noqa: S108 - the demo's own rule

# Everything that could lead the demo's processes astray, were it passed on to them.
ASTRAY = {
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wrong",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "CREDHELPER_SOCKET": "/nonexistent/agent.sock",
    "BROWSER": "/bin/false",
    "FORCE_COLOR": "1",
}


def processes_of(folder: str) -> list[str]:
    """Processes whose home or command line lies in the demo's world."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if folder in line or process.environ().get("HOME") == folder:
                found.append(f"{process.pid} {line}")
        except psutil.Error:
            continue
    return found


def gone(output: str) -> bool:
    """Whether nothing is left of the world that the output is about."""
    folders = set(HOME_PATH.findall(output))
    assert len(folders) == 1, output
    folder = folders.pop()
    assert processes_of(folder) == []
    assert not Path(folder).exists()
    return True


def terminal(**more: str) -> dict[str, str]:
    return {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **more}
