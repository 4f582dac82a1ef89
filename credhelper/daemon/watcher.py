"""Notices at once when the token cache or the AWS config changes, where the file system says so.

Where it does not (NFS, drvfs, bind mounts, no inotify watches left), the app's sweep notices within 30 s.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from credhelper.core.trouble import Trouble
from credhelper.files import TEMPORARY, is_folder

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver, ObservedWatch

_LOG = logging.getLogger(__name__)

# What happens to names: where nothing else matters (the home folder!), the contents of files wake nobody.
_NAMES: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
]


class _Handler(FileSystemEventHandler):
    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._folders: frozenset[str] = frozenset()
        self._paths: frozenset[str] = frozenset()

    def care_for(self, folders: Collection[Path], files: Collection[Path]) -> None:
        self._folders = frozenset(map(os.fspath, folders))
        # A folder on the way to one of them may appear or vanish.
        self._paths = frozenset(os.fspath(above) for path in (*folders, *files) for above in (path, *path.parents))

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Reading a file also makes events, and we read after each event; a folder is modified by what changes in it.
        if event.event_type in {"opened", "closed_no_write"} or (
            event.is_directory and event.event_type == "modified"
        ):
            return
        for raw in (event.src_path, event.dest_path):
            path = os.fsdecode(raw)
            folder, _, name = path.rpartition("/")
            # What we are about to write is news only once it has its name.
            if path in self._paths or (folder in self._folders and not name.startswith(TEMPORARY)):
                self._notify()
                return


class _Watch:
    """One folder that is watched: how, and which one it was."""

    def __init__(self, watch: ObservedWatch, inode: tuple[int, int], *, names_only: bool) -> None:
        self.watch = watch
        self.inode = inode
        self.names_only = names_only


class Watcher:
    """Watches folders, each by itself (not what is below it), and single files.

    Args:
        notify: called from a thread of the watcher after something has changed.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._handler = _Handler(notify)
        self._observer: BaseObserver | None = None
        self._watches: dict[Path, _Watch] = {}
        self._trouble = Trouble()
        self._lock = threading.Lock()
        with contextlib.suppress(OSError, RuntimeError):  # no inotify instance is left: `watch` tries again
            self._observe()

    def _observe(self) -> BaseObserver:
        """The running observer. Raises OSError, RuntimeError where there can be none."""
        if self._observer is None:
            observer = Observer()
            observer.start()
            self._observer = observer
        return self._observer

    def watch(self, folders: Collection[Path], files: Collection[Path], names: Collection[Path] = ()) -> None:
        """Watch these folders and files and no others, and whether the folders and these names are replaced.

        For what does not exist its nearest ancestor that does is watched, so that its appearance is noticed; call
        this again then. Blocks; safe for use by several threads.
        """
        # A dotfile that is a link changes where it leads to, and no event is made for the link itself.
        files = {*files, *(Path(os.path.realpath(file)) for file in files)}
        wanted: dict[Path, bool] = {}
        for folder in {*folders, *(file.parent for file in files)}:
            there = _existing(folder)
            wanted[there] = wanted.get(there, True) and there != folder
        for path in (*folders, *names):
            # A folder that is renamed makes no event of its own.
            wanted.setdefault(_existing(path.parent), True)
        with self._lock:
            self._handler.care_for(folders, [*files, *names])
            self._watch(wanted)

    def _watch(self, wanted: Mapping[Path, bool]) -> None:
        """Watch the keys; a value says whether their names alone matter."""
        for path, known in list(self._watches.items()):
            if wanted.get(path) is not known.names_only or _inode(path) != known.inode:
                with contextlib.suppress(Exception):  # the folder may have gone, and its watch with it
                    self._observe().unschedule(known.watch)
                del self._watches[path]
        problem = None
        for path in wanted.keys() - self._watches.keys():
            present, names_only = _inode(path), wanted[path]
            if present is None:
                continue
            try:
                watch = self._observe().schedule(
                    self._handler, os.fspath(path), recursive=False, event_filter=_NAMES if names_only else None
                )
            except (OSError, RuntimeError) as error:  # no more inotify watches, instances, descriptors, threads
                problem = (isinstance(error, OSError) and error.strerror) or str(error)
            else:
                self._watches[path] = _Watch(watch, present, names_only=names_only)
        if problem is None:
            if self._trouble.over():
                _LOG.info("changes of files make themselves known again")
        elif self._trouble.news(problem):
            _LOG.warning("some folders cannot be watched (%s); they are looked at every 30 s", problem)

    def close(self) -> None:
        """End the watcher's threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2.0)


def _existing(folder: Path) -> Path:
    while not is_folder(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
