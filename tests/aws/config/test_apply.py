"""The edit of a real file: what is shown of it, and whether another system may share it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from credhelper.aws.config import Edit
from credhelper.aws.config.apply import Plan, diff, plan_profiles, shared_with, write
from credhelper.aws.config.authoring import NewProfile, written_profiles
from credhelper.model import Session
from credhelper.paths import Paths


def test_a_diff_masks_secrets_and_shows_ends_of_line_as_nothing() -> None:
    old = b"[a]\r\naws_secret_access_key = hidden\r\n  AWS_SESSION_TOKEN=hidden\r\nx = 1\r\n\xff\r\n"
    lines = list(diff(Plan(Path("c"), old, Edit(old.replace(b"x = 1", b"x = 2")))))
    assert lines == [
        "--- c",
        "+++ c",
        "@@ -1,5 +1,5 @@",
        " [a]",
        " aws_secret_access_key = …",
        "   AWS_SESSION_TOKEN=…",
        "-x = 1",
        "+x = 2",
        " \udcff",
    ]


def test_a_file_of_the_home_folder_is_not_shared(paths: Paths) -> None:
    paths.aws.mkdir()
    (paths.aws / "config").touch()
    assert shared_with(paths, paths.aws / "config") is None


def test_a_link_out_of_the_home_folder(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    paths.aws.symlink_to(tmp_path)
    assert "outside of your home folder" in (shared_with(paths, paths.aws / "config") or "")


def test_another_file_system() -> None:
    found = shared_with(Paths(Path("/")), Path("/dev/null"))
    assert "another file system" in (found or "")


def test_a_file_that_is_not_there_yet_lies_in_its_folder(paths: Paths) -> None:
    assert shared_with(paths, paths.aws / "config") is None
    assert "another file system" in (shared_with(Paths(Path("/")), Path("/dev/shm/aws/config")) or "")  # noqa: S108


def test_what_cannot_be_replaced_stays(paths: Paths) -> None:
    corp = Session("corp", "https://corp.awsapps.com/start", "eu-west-1")
    one, two, three = (NewProfile(name, corp, name * 12, "R") for name in "123")
    write(plan_profiles(paths, {}, add=[one, two, three]))
    # The second one's new name is that of the first, which is free only where the first gets another.
    moved = [replace(one, name="no]"), replace(two, name="1"), replace(three, name="third")]
    plan = plan_profiles(paths, {}, add=moved, remove=["1", "2", "3"])
    assert [name for name, _ in plan.edit.refused] == ["no]", "1"]
    assert (plan.edit.changed, plan.edit.removed) == (["third"], ["3"])
    found = written_profiles(plan.edit.data)
    assert {name: profile.account_id[0] for name, profile in found.items()} == {"1": "1", "2": "2", "third": "3"}
    # A removal that is for itself is none of these.
    plan = plan_profiles(paths, {}, add=[replace(one, name="no]")], remove=["2"])
    assert plan.edit.removed == ["2"]
