from __future__ import annotations

from pathlib import Path

import pytest

from credhelper.aws.targets import resolve_session
from credhelper.errors import ConfigError, CredhelperError, UsageError
from credhelper.model import Session
from credhelper.paths import Paths
from tests.machine import profile, section

CORP = Session("corp", "https://d-1.awsapps.com/start", "eu-west-1")
LAB = Session("lab", "https://d-2.awsapps.com/start", "eu-west-1")


def write(paths: Paths, *texts: str) -> Path:
    paths.aws.mkdir(exist_ok=True)
    path = paths.aws / "config"
    path.write_text("".join(texts))
    return path


@pytest.fixture
def both(paths: Paths) -> Paths:
    write(
        paths,
        section(CORP),
        section(LAB),
        profile("dev", paths, "lab"),
        profile("lab", paths, "corp"),
        "[profile plain]\nregion = x\n",
    )
    return paths


@pytest.mark.parametrize(
    ("name", "environ", "expected"),
    [
        ("corp", {}, CORP),
        ("lab", {}, LAB),  # a session comes before a profile of its name
        ("dev", {}, LAB),
        ("dev", {"AWS_PROFILE": "lab"}, LAB),
        (None, {"AWS_PROFILE": "dev"}, LAB),
        (None, {"AWS_PROFILE": "lab"}, CORP),  # here only a profile can be meant
        (None, {"AWS_DEFAULT_PROFILE": "dev"}, LAB),
        (None, {"AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": "plain"}, LAB),
    ],
)
def test_what_a_name_means(both: Paths, name: str | None, environ: dict[str, str], expected: Session) -> None:
    assert resolve_session(name, environ, both) == expected


@pytest.mark.parametrize(
    ("name", "environ", "message"),
    [
        ("crop", {}, "there is no session or profile 'crop'. Did you mean 'corp'?"),
        ("xyzzy", {}, "there is no session or profile 'xyzzy'. Run `credhelper status`"),
        (None, {"AWS_PROFILE": "deb"}, "there is no profile (from AWS_PROFILE) 'deb'. Did you mean 'dev'?"),
        (None, {}, "there are several sessions: corp, lab. Name one of them"),
        (None, {"AWS_PROFILE": ""}, "there are several sessions: corp, lab. Name one of them"),
    ],
)
def test_usage_errors(both: Paths, name: str | None, environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_session(name, environ, both)
    assert str(caught.value) == message


@pytest.mark.parametrize(("name", "environ"), [("plain", {}), (None, {"AWS_PROFILE": "plain"})])
def test_profile_without_a_session(both: Paths, name: str | None, environ: dict[str, str]) -> None:
    with pytest.raises(CredhelperError, match="'plain' uses no Identity Center session") as caught:
        resolve_session(name, environ, both)
    assert caught.value.exit_code == 1


def test_a_config_that_is_no_file(paths: Paths) -> None:
    (paths.aws / "config").mkdir(parents=True)
    for name in (None, "corp"):
        with pytest.raises(ConfigError, match="is not a regular file"):
            resolve_session(name, {}, paths)


def test_a_section_that_says_too_little(paths: Paths) -> None:
    write(
        paths,
        "[sso-session corp]\nsso_region = eu-west-1\n",
        "[profile a]\nsso_session = corp\n[profile b]\nsso_session = nosuch\n",
    )
    for name in (None, "corp", "a"):
        with pytest.raises(ConfigError) as caught:
            resolve_session(name, {}, paths)
        assert caught.value.message == "[sso-session corp] lacks sso_start_url"
        assert caught.value.remedy
    with pytest.raises(ConfigError, match="'b' names the session 'nosuch', of which there is no section") as caught:
        resolve_session("b", {}, paths)
    assert "[sso-session nosuch]" in str(caught.value.remedy)


def test_the_only_session(paths: Paths) -> None:
    write(paths, section(CORP))
    assert resolve_session(None, {}, paths) == CORP


def test_none_at_all(paths: Paths) -> None:
    with pytest.raises(CredhelperError, match="has no sso-session") as caught:
        resolve_session(None, {}, paths)
    assert caught.value.exit_code == 1


def test_legacy_profile(paths: Paths) -> None:
    url = "https://d-9.awsapps.com/start/"
    write(
        paths,
        f"[profile old]\nsso_start_url = {url}\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = R\n",
    )
    for name in ("old", None):
        session = resolve_session(name, {}, paths)
        assert (session.start_url, session.legacy) == (url, True)


def test_config_of_the_environment(paths: Paths, home: Path) -> None:
    other = home / "other"
    other.write_text(section(LAB))
    assert resolve_session(None, {"AWS_CONFIG_FILE": str(other)}, paths) == LAB
