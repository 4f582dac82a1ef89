"""The board: its names, its lines, and what its writer makes of whatever lies in its place."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credhelper import board
from credhelper.board import Board, Content, Entry
from credhelper.errors import CredhelperError
from credhelper.names import decode_name
from credhelper.paths import Paths
from tests.hostile.strangers import NOBODY, need_root

SOON = int(time.time()) + 3600
CORP = Entry("corp", "active", "no", SOON)
LAB = Entry("my lab", "expired", "yes")
CONTENT = Content(
    {"corp": CORP, "my+20lab": LAB},
    {"default": {"dev": "corp", "$(touch x)": "my+20lab"}, "+2Fother": {"dev": "my+20lab"}},
)
ODD_NAMES = [
    "plain",
    "with space",
    "$(touch x)",
    "`touch x`",
    "'",
    '"',
    "\\",
    "ü€😀",
    ".hidden",
    "-option",
    "~new-1",
    "%p !! {a,b} *?[x]",
    "a/b",
    "a\nb\x1b[2J",
    "\udcff",
    "x" * 250,
]


def picture(folder: Path) -> dict[str, tuple[bytes | str | None, int, int, int]]:
    """All that lies below a folder: what it says, its mode, and what tells whether it was written again."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        what = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (what, status.st_mode, status.st_ino, status.st_mtime_ns)
    return found


def profile_names(paths: Paths, environ: Mapping[str, str]) -> list[str]:
    """The profiles that have an entry for this environment."""
    config = board.config_folder(paths, environ.get("AWS_CONFIG_FILE"))
    place = board.folder(paths) / "profile" / (config or "none")
    names = [path.name for path in place.iterdir()] if place.is_dir() else []
    return [decode_name(name) for name in names if not name.startswith("~")]


def said(paths: Paths) -> dict[str, object]:
    """The same without what tells of writing; `None` for folders."""
    return {name: what[0] for name, what in picture(board.folder(paths)).items()}


def expected(paths: Paths) -> dict[str, object]:
    """What `CONTENT` makes."""
    return {
        "session": None,
        "session/corp": CORP.line(),
        "session/my+20lab": LAB.line(),
        "profile": None,
        "profile/default": None,
        "profile/default/dev": "../../session/corp",
        "profile/default/+24+28touch+20x+29": "../../session/my+20lab",
        "profile/+2Fother": None,
        "profile/+2Fother/dev": "../../session/my+20lab",
        f"profile/{str(paths.aws).replace('/', '+2F')}+2Fconfig": "default",
    }


# --- lines ----------------------------------------------------------------------------------------------------------


def test_a_line_has_six_fields_of_harmless_characters() -> None:
    entry = Entry("my $(corp)", "active", "soon", 1_800_000_000, 1_700_000_000)
    assert entry.line() == b"1 active 1800000000 soon 1700000000 my+20+24+28corp+29\n"


@given(
    st.builds(
        Entry,
        session=st.text(min_size=1),
        state=st.sampled_from(["active", "logged_out"]),
        login=st.sampled_from(["yes", "soon", "no"]),
        ends=st.integers(0, 4_102_444_800),
        shown=st.integers(0, 4_102_444_800),
    )
)
def test_a_line_says_what_it_was_made_of(entry: Entry) -> None:
    line = entry.line()
    assert Entry.parse(line) == entry
    assert line.count(b"\n") == 1
    assert line.count(b" ") == 5


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"1 active 5 no 0 corp",
        b"2 active 5 no 0 corp\n",
        b"1 active 5 no 0\n",
        b"1 active 5 no 0 corp more\n",
        b"1 active 5 maybe 0 corp\n",
        b"1 active -5 no 0 corp\n",
        b"1 active 99999999999 no 0 corp\n",
        b"1 active 5 no 0 +2\n",
        b"1 active 5 no 0 $(x)\n",
        b"1 active 5 no 0 corp\n1 active 5 no 0 corp\n",
        "1 active \u0665 no 0 corp\n".encode(),
        b"\0" * 4096,
    ],
)
def test_anything_else_is_no_line(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a"):
        Entry.parse(line)


def test_moments_beyond_any_file_system_s_dates_are_brought_forward(paths: Paths) -> None:
    entry = Entry("corp", "active", "soon", 253_402_300_799, -5)
    assert entry.line() == b"1 active 4102444800 soon 0 corp\n"
    writer = Board(paths)
    assert writer.write(Content({"corp": entry}))
    assert not writer.write(Content({"corp": entry}))


def test_a_line_is_believed_until_its_end_and_one_that_asks_for_a_login_never() -> None:
    assert CORP.needs_nothing(SOON - 1)
    assert not CORP.needs_nothing(SOON)
    assert not Entry("corp", "active", "yes", SOON).needs_nothing(0)


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_NAMES)
def test_what_is_written_can_be_read(paths: Paths, name: str) -> None:
    entry = Entry(name, "active", "no", SOON)
    file = board.session_file(name)
    assert Board(paths).write(Content({file: entry}, {"default": {name: file}}))
    assert board.entry_of_profile(paths, name, {}) == entry
    assert profile_names(paths, {}) == [name]
    assert board.session_names(paths) == [name]
    top = board.folder(paths)
    assert all(path in top.parents or top in (path, *path.parents) for path in paths.home.rglob("*"))


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 251, "ü" * 50])
def test_a_profile_whose_name_cannot_be_a_file_s_has_no_entry(paths: Paths, name: str) -> None:
    Board(paths).write(Content({"corp": CORP}, {"default": {name: "corp", "dev": "corp"}}))
    assert board.entry_of_profile(paths, name, {}) is None
    assert profile_names(paths, {}) == ["dev"]


@pytest.mark.parametrize("name", [".", "..", "x" * 300])
def test_a_session_whose_name_cannot_be_a_file_s_has_another(paths: Paths, name: str) -> None:
    file = board.session_file(name)
    assert file.startswith("~")
    entry = Entry(name, "active", "no", SOON)
    Board(paths).write(Content({file: entry}, {"default": {"dev": file}}))
    assert board.entry_of_profile(paths, "dev", {}) == entry
    assert board.session_names(paths) == [name]


def test_two_sessions_of_one_name_have_two_files() -> None:
    first = board.session_file("corp", "corp https://d-1")
    second = board.session_file("corp", "corp https://d-2", {first})
    third = board.session_file("corp", "corp https://d-3", {first, second})
    assert first == "corp"
    assert len({first, second, third}) == 3
    assert board.session_file("corp", "corp https://d-2", {first}) == second


def test_the_folders_of_config_files(paths: Paths) -> None:
    assert board.config_folder(paths, None) == "default"
    assert board.config_folder(paths, "") == "default"
    assert board.config_folder(paths, "~/.aws/config") == "default"
    assert board.config_folder(paths, paths.aws / "config") == "default"
    assert board.config_folder(paths, "/etc/a b") == "+2Fetc+2Fa+20b"
    assert board.config_folder(paths, "~/other") == board.config_folder(paths, paths.home / "other")
    assert board.config_folder(paths, "~") == board.config_folder(paths, paths.home)
    assert board.config_folder(paths, "other") is None
    assert board.config_folder(paths, "~other/config") is None
    assert board.config_folder(paths, f"/{'x' * 197}") == f"+2F{'x' * 197}"
    assert board.config_folder(paths, f"/{'x' * 198}") is None


def test_each_config_file_has_profiles_of_its_own(paths: Paths) -> None:
    Board(paths).write(CONTENT)
    assert board.entry_of_profile(paths, "dev", {}) == CORP
    assert board.entry_of_profile(paths, "dev", {"AWS_CONFIG_FILE": "/other"}) == LAB
    assert board.entry_of_profile(paths, "dev", {"AWS_CONFIG_FILE": "/unknown"}) is None
    assert board.entry_of_profile(paths, "dev", {"AWS_CONFIG_FILE": "relative"}) is None
    assert profile_names(paths, {"AWS_CONFIG_FILE": "/other"}) == ["dev"]
    assert profile_names(paths, {"AWS_CONFIG_FILE": "relative"}) == []


def test_without_a_board_nothing_is_known(paths: Paths) -> None:
    assert board.entry_of_profile(paths, "dev", {}) is None
    assert profile_names(paths, {}) == []
    assert board.session_names(paths) == []
    assert board.default_profile(paths) is None


# --- writing --------------------------------------------------------------------------------------------------------


def test_what_is_said_is_there_and_nothing_else(paths: Paths) -> None:
    assert Board(paths).write(CONTENT)
    assert said(paths) == expected(paths)
    modes = {stat.S_IMODE(status) for what, status, *_ in picture(paths.state).values() if not isinstance(what, str)}
    assert modes == {0o600, 0o700}


def test_a_file_is_dated_with_the_end_of_what_it_says(paths: Paths) -> None:
    Board(paths).write(CONTENT)
    session = board.folder(paths) / "session"
    assert (session / "corp").stat().st_mtime == SOON
    assert (session / "my+20lab").stat().st_mtime < time.time() - 86400


def test_what_is_as_it_should_be_is_not_written_again(paths: Paths) -> None:
    writer = Board(paths)
    writer.write(CONTENT)
    before = picture(board.folder(paths))
    for again in (writer, writer, Board(paths)):
        assert not again.write(CONTENT)
        assert not again.write(
            Content(dict(CONTENT.sessions), {name: dict(it) for name, it in CONTENT.profiles.items()})
        )
    assert picture(board.folder(paths)) == before


def test_what_is_as_it_was_left_is_not_even_read(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is so young that a file system with a slow clock could not tell one change from the next."""
    writer, readlink = Board(paths), os.readlink
    looks: list[str] = []

    def look(name: str, **options: int) -> str:
        looks.append(name)
        return readlink(name, **options)

    monkeypatch.setattr(os, "readlink", look)
    writer.write(CONTENT)
    looks.clear()
    writer.write(CONTENT)
    assert len(looks) > 2
    later = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: later)
    writer.write(CONTENT)
    looks.clear()
    assert not writer.write(CONTENT)
    assert len(looks) == 1, "the default config's other name"
    link = board.folder(paths) / "profile" / "default" / "dev"
    link.unlink()
    (board.folder(paths) / "session" / "gone").touch()
    assert writer.write(CONTENT)
    assert said(paths) == expected(paths)
    assert writer.write(Content(CONTENT.sessions, {"default": {"new": "corp"}}))
    assert profile_names(paths, {}) == ["new"]


NAMES = st.sampled_from(["corp", "my lab", "$(x)", ".hidden", "..", "x" * 300, "default"])
KINDS = st.sampled_from(["a_file", "a_fifo", "a_folder", "a_link_to_a_folder", "a_loop"])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.frozensets(NAMES), st.dictionaries(NAMES, NAMES), NAMES, KINDS), min_size=1, max_size=5))
def test_whatever_is_said_and_whatever_lies_there(
    steps: list[tuple[frozenset[str], dict[str, str], str, str]],
) -> None:
    """One writer that stays says the same in the end as one that begins anew."""
    with tempfile.TemporaryDirectory() as home:
        paths = Paths(Path(home))
        writer = Board(paths)
        for sessions, profiles, name, kind in steps:
            entries = {board.session_file(session): Entry(session, "active", "no", SOON) for session in sessions}
            wanted = {profile: board.session_file(used) for profile, used in profiles.items() if used in sessions}
            content = Content(entries, {"default": wanted})
            writer.write(content)
            assert set(board.session_names(paths)) == sessions
            assert set(profile_names(paths, {})) == {name for name in wanted if board.entry_name(name)}
            assert all(entry is None or entry.session in sessions for entry in entries_of(paths, profiles))
            assert not Board(paths).write(content)
            place = board.folder(paths) / "session" / board.session_file(name)
            for path in (place, board.folder(paths) / "profile" / "default" / place.name):
                path.unlink(missing_ok=True)
                {"a_file": a_file, "a_fifo": a_fifo, "a_folder": a_folder, "a_loop": a_loop}.get(
                    kind, a_link_to_a_folder
                )(path)


def entries_of(paths: Paths, profiles: Iterable[str]) -> list[Entry | None]:
    return [board.entry_of_profile(paths, profile, {}) for profile in profiles]


def test_only_what_changes_is_written(paths: Paths) -> None:
    writer = Board(paths)
    writer.write(CONTENT)
    before = picture(board.folder(paths))
    renewed = Entry("corp", "active", "no", SOON + 3600)
    assert writer.write(Content({**CONTENT.sessions, "corp": renewed}, CONTENT.profiles))
    after = picture(board.folder(paths))
    assert after.pop("session/corp")[0] == renewed.line()
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"session"}


def test_what_is_gone_is_removed(paths: Paths) -> None:
    writer = Board(paths)
    writer.write(CONTENT)
    assert writer.write(Content({"corp": CORP}, {"default": {"dev": "corp"}}))
    assert {name for name in said(paths) if name.count("/") != 1 or "default" in name or "session" in name} == {
        "session",
        "session/corp",
        "profile",
        "profile/default",
        "profile/default/dev",
    }
    assert writer.write(Content())
    assert said(paths) == {"session": None, "profile": None}


def test_the_default_config_s_own_path_is_no_other_config(paths: Paths) -> None:
    Board(paths).write(CONTENT)
    link = next(path for path in (board.folder(paths) / "profile").iterdir() if path.is_symlink())
    assert (link / "dev").read_bytes() == CORP.line()


def test_what_was_left_in_the_making_is_removed(paths: Paths) -> None:
    Board(paths).write(CONTENT)
    for place in (".", "session", "profile", "profile/default"):
        (board.folder(paths) / place / "~new-1").write_text("half")
    assert Board(paths).write(CONTENT)
    # The command line may be at work at the top: what is young stays there.
    assert said(paths) == {**expected(paths), "~new-1": b"half"}


def test_an_old_file_in_the_making_is_removed_from_the_top(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    Board(paths).write(CONTENT)
    (board.folder(paths) / "~new-1").write_text("half")
    (board.folder(paths) / "default-profile").write_text("dev\n")
    (board.folder(paths) / "notes").write_text("somebody's")
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert Board(paths).write(CONTENT)
    assert said(paths) == {**expected(paths), "default-profile": b"dev\n", "notes": b"somebody's"}


def a_file(path: Path) -> None:
    path.write_bytes(b"\0garbage" * 1000)


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("garbage")
    (path / "link").symlink_to("/")


def a_link_to_a_folder(path: Path) -> None:
    elsewhere = Path(os.environ["HOME"], "elsewhere")
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "precious").write_text("precious")
    path.symlink_to(elsewhere)


def a_link_to_a_file(path: Path) -> None:
    precious = Path(os.environ["HOME"], "precious")
    precious.write_text("precious")
    path.symlink_to(precious)


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    "place",
    [
        "session",
        "session/corp",
        "session/other",
        "profile",
        "profile/default",
        "profile/other",
        "profile/default/dev",
        "profile/default/other",
    ],
)
@pytest.mark.parametrize("garbage", [a_file, a_fifo, a_folder, a_link_to_a_folder, a_link_to_a_file, a_loop])
def test_garbage_is_removed_and_nothing_that_it_leads_to(
    paths: Paths, place: str, garbage: Callable[[Path], None]
) -> None:
    writer = Board(paths)
    writer.write(CONTENT)
    path = board.folder(paths) / place
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    garbage(path)
    assert writer.write(CONTENT)
    assert said(paths) == expected(paths)
    assert not Board(paths).write(CONTENT)
    if garbage is a_link_to_a_file:
        assert (paths.home / "precious").read_text() == "precious"
    if garbage is a_link_to_a_folder:
        assert [found.name for found in (paths.home / "elsewhere").iterdir()] == ["precious"]


def test_a_changed_line_is_put_right(paths: Paths) -> None:
    writer = Board(paths)
    writer.write(CONTENT)
    line = board.folder(paths) / "session" / "corp"
    line.write_bytes(b"1 active 99 no 0 corp\n")
    assert writer.write(CONTENT)
    assert line.read_bytes() == CORP.line()
    line.unlink()
    assert writer.write(CONTENT)
    assert line.stat().st_mtime == SOON


def test_folders_within_folders_are_nobody_s_to_remove(paths: Paths) -> None:
    """Something of the user's may be mounted there. All else is written."""
    writer = Board(paths)
    writer.write(CONTENT)
    line = board.folder(paths) / "session" / "corp"
    line.unlink()
    (line / "inner").mkdir(parents=True)
    renewed = Entry("my lab", "active", "no", SOON)
    with pytest.raises(CredhelperError, match=r"session/corp cannot be written: "):
        writer.write(Content({"corp": CORP, "my+20lab": renewed}, CONTENT.profiles))
    assert board.entry_of_profile(paths, "$(touch x)", {}) == renewed
    (line / "inner").rmdir()
    assert writer.write(CONTENT)
    assert said(paths) == expected(paths)


def test_a_board_that_others_could_read_is_closed(paths: Paths) -> None:
    Board(paths).write(CONTENT)
    board.folder(paths).chmod(0o755)
    Board(paths).write(CONTENT)
    assert stat.S_IMODE(board.folder(paths).stat().st_mode) == 0o700


@pytest.mark.parametrize("plant", [a_link_to_a_folder, a_link_to_a_file, a_loop, a_file, a_fifo])
def test_a_link_or_file_in_the_board_s_place_is_refused(paths: Paths, plant: Callable[[Path], None]) -> None:
    paths.state.mkdir(parents=True)
    plant(board.folder(paths))
    before = picture(paths.home)
    with pytest.raises(CredhelperError, match="is a link or no folder"):
        Board(paths).write(CONTENT)
    with pytest.raises(CredhelperError, match="is a link or no folder"):
        board.set_default_profile(paths, "dev")
    assert picture(paths.home) == before


def test_another_user_s_board_is_refused(paths: Paths) -> None:
    need_root()
    board.folder(paths).mkdir(parents=True)
    os.chown(board.folder(paths), NOBODY, NOBODY)
    before = picture(paths.home)
    for write in (lambda: Board(paths).write(CONTENT), lambda: board.set_default_profile(paths, "dev")):
        with pytest.raises(CredhelperError, match="belongs to another user"):
            write()
    assert picture(paths.home) == before


def test_a_full_disk_leaves_what_is_there(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Board(paths)
    writer.write(CONTENT)
    before = said(paths)

    def refuse(*_: object, **__: object) -> None:
        tried.append(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    tried: list[int] = []
    more = Content(CONTENT.sessions, {"default": {f"profile {number}": "corp" for number in range(100)}})
    with monkeypatch.context() as patch:
        patch.setattr(os, "symlink", refuse)
        with pytest.raises(CredhelperError, match="board cannot be written: No space left on device"):
            writer.write(more)
        assert len(tried) == 1, "it gives up where nothing can be written"
        assert said(paths) == before
    assert writer.write(more)
    assert len(profile_names(paths, {})) == 100


def test_two_writers_of_one_home_leave_no_half_line_and_no_error(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Daemons of two containers may even be the same process number."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    Board(paths).write(CONTENT)
    line, lines = board.folder(paths) / "session" / "corp", set[bytes]()

    def write(more: int) -> None:
        writer = Board(paths)
        for step in range(400):
            # Each takes away what the other says of profiles.
            writer.write(
                Content(
                    {"corp": Entry("corp", "active", "no", SOON + 2 * step + more)}, {"default": {f"{more}": "corp"}}
                )
            )

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, more) for more in (0, 1)]
        while not all(writer.done() for writer in writers):
            lines.add(line.read_bytes())
        assert [writer.result() for writer in writers] == [None, None]
    assert all(Entry.parse(found).session == "corp" for found in lines)


# --- the profile of new shells --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ODD_NAMES, ".", "..", "x" * 5000])
def test_the_profile_of_new_shells(paths: Paths, name: str) -> None:
    board.set_default_profile(paths, name)
    assert board.default_profile(paths) == name
    Board(paths).write(CONTENT)
    assert board.default_profile(paths) == name
    assert (board.folder(paths) / "default-profile").stat().st_mode & 0o777 == 0o600
    board.set_default_profile(paths, None)
    board.set_default_profile(paths, None)
    assert board.default_profile(paths) is None


@pytest.mark.parametrize("garbage", [b"", b"\n", b"a b\n", b"$(x)\n", b"dev\ndev\n", b"\xff\n", b"\0" * 70000])
def test_garbage_is_no_profile_of_new_shells(paths: Paths, garbage: bytes) -> None:
    board.folder(paths).mkdir(parents=True)
    (board.folder(paths) / "default-profile").write_bytes(garbage)
    assert board.default_profile(paths) is None
    board.set_default_profile(paths, "dev")
    assert board.default_profile(paths) == "dev"
