"""Notices at once when the token cache or the AWS config changes, where the file system says so.

Where it does not (NFS, drvfs, bind mounts, no inotify watches left), the app's sweep notices within 30 s.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

if TYPE_CHECKING:
    from watchdog.observers.api import ObservedWatch

_LOG = logging.getLogger(__name__)


class _Handler(FileSystemEventHandler):
    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Reading a file also makes events, and we read after each event.
        if event.event_type not in {"opened", "closed_no_write"}:
            self._notify()


class Watcher:
    """Watches folders, each by itself (not what is below it).

    Args:
        notify: called from a thread of the watcher after something has changed.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._handler = _Handler(notify)
        self._observer = Observer()
        self._watches: dict[Path, tuple[ObservedWatch, tuple[int, int]]] = {}
        self._complained: set[Path] = set()
        self._observer.start()

    def watch(self, folders: Iterable[Path]) -> None:
        """Watch these folders and no others. For one that does not exist its nearest ancestor that does is watched,
        so that its appearance is noticed; call this again then."""
        wanted = {_existing(folder) for folder in folders}
        for path, (watch, inode) in list(self._watches.items()):
            if path not in wanted or _inode(path) != inode:
                with contextlib.suppress(Exception):  # the folder may have gone, and its watch with it
                    self._observer.unschedule(watch)
                del self._watches[path]
        for path in wanted - set(self._watches):
            present = _inode(path)
            if present is None:
                continue
            try:
                watch = self._observer.schedule(self._handler, os.fspath(path), recursive=False)
            except OSError as error:
                if path not in self._complained:
                    self._complained.add(path)
                    _LOG.warning(
                        "%s cannot be watched (%s); it is looked at every 30 s", path, error.strerror or error
                    )
            else:
                self._watches[path] = (watch, present)
                self._complained.discard(path)

    def close(self) -> None:
        """End the watcher's threads."""
        self._observer.stop()
        self._observer.join(timeout=2.0)


def _existing(folder: Path) -> Path:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
