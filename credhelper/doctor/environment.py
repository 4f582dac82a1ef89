"""Variables that lead AWS programs elsewhere than their profile says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from credhelper import files, rc_places, shell_files
from credhelper.aws.config.reader import merge_profiles
from credhelper.aws.regions import every_region
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene, exists
from credhelper.endpoints import check_endpoint
from credhelper.errors import ConfigError, CredhelperError
from credhelper.names import nearest
from credhelper.paths import chosen_profile

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_WEB_IDENTITY = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_STS")
# Read by login shells, or by all of a kind, beside the files that a hook belongs into.
_START_FILES = (".profile", ".zshenv", ".zprofile")


def access_keys(scene: Scene) -> Iterator[Remark]:
    """Access keys in the environment, which most programs prefer to `AWS_PROFILE`."""
    found = [name for name in _KEYS if scene.environ.get(name)]
    if not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & set(found):
        yield Well("no access keys in it")
        return
    profile, where = chosen_profile(scene.environ), _where(scene, found[0])
    yield Finding(
        "access-keys",
        f"{found[0]} is set{where}",
        "Most programs work as those keys, and not as a profile"
        + (f" ({profile})" if profile else "")
        + "; a profile that is named on the command line alone wins over them",
        Mend(unset(scene, found), "Take the line out there, and in this shell" if where else None),
    )


def web_identity(scene: Scene) -> Iterator[Remark]:
    """The variables of a role for a container or a CI job, which boto3 prefers to a profile's process."""
    if all(scene.environ.get(name) for name in _WEB_IDENTITY):
        yield Finding(
            "web-identity",
            f"{' and '.join(_WEB_IDENTITY)} are set",
            "The AWS CLI and boto3 work as that role, also where AWS_PROFILE names a managed profile",
            Mend(unset(scene, _WEB_IDENTITY)),
        )


def region(scene: Scene) -> Iterator[Remark]:
    """A region that there is not."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        value = scene.environ.get(name)
        if value and value not in (regions := every_region()):
            near = nearest(value, regions)
            yield Finding(
                "region-unknown",
                f"{name} is {value}, and there is no such region, as far as is known",
                "AWS programs look for services at addresses that do not exist",
                Mend(export(scene, name, near[0]) if near else unset(scene, [name])),
                "hint",
            )


def profile(scene: Scene) -> Iterator[Remark]:
    """Whether `AWS_PROFILE` names a profile."""
    name = chosen_profile(scene.environ)
    if name is None:
        return
    other = scene.environ.get("AWS_DEFAULT_PROFILE")
    variable = "AWS_PROFILE" if scene.environ.get("AWS_PROFILE") else "AWS_DEFAULT_PROFILE"
    known = merge_profiles(scene.config, scene.credentials)
    if name not in known:
        near = nearest(name, known)
        yield Finding(
            "profile-unknown",
            f"{variable} names {name}, and there is no such profile",
            "Every AWS program fails at once",
            Mend(export(scene, variable, near[0]) if near else unset(scene, [variable])),
        )
    else:
        yield Well(f"{variable} is {name}")
    if other and other != name:
        yield Finding(
            "profile-twice",
            f"AWS_PROFILE is {name}, AWS_DEFAULT_PROFILE is {other}",
            "Programs differ on which one counts",
            Mend(unset(scene, ["AWS_DEFAULT_PROFILE"])),
            "hint",
        )


def endpoints(scene: Scene) -> Iterator[Remark]:
    """Services that are looked for elsewhere than at AWS."""
    set_here = {name: scene.environ[name] for name in _ENDPOINTS if scene.environ.get(name)}
    ignored = scene.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
    for name, url in set_here.items():
        if ignored:
            break
        try:
            check_endpoint(url)
        except ConfigError:
            yield Finding(
                "endpoint-unsafe",
                f"{name} leads to {host(url)}, which is neither https nor on this machine",
                "A token must not travel there, so `credhelper login` refuses it",
                Mend(unset(scene, [name])),
            )
    if set_here and not ignored:
        hosts: dict[str, list[str]] = {}
        for name, url in set_here.items():
            hosts.setdefault(host(url), []).append(name)
        lead = "; ".join(
            f"{', '.join(names)} {'leads' if len(names) == 1 else 'lead'} to {there}"
            for there, names in hosts.items()
        )
        yield Finding(
            "endpoint-overridden",
            f"endpoints are overridden: {lead}",
            "AWS programs of this environment ask there and not AWS; a login takes it over for its tokens",
            Mend(unset(scene, list(set_here)), "Only where that is not meant"),
            "hint",
        )
    for name, values in scene.config.profiles.items():
        url = values.get("endpoint_url", "")
        if url and not ignored and "\n" not in url:
            yield Finding(
                "endpoint-configured",
                f"{name} has endpoint_url, and leads to {host(url)}",
                "AWS programs with that profile ask there and not AWS",
                Mend(scene.edit(scene.config_path), "Only where that is not meant"),
                "hint",
            )


def files_named(scene: Scene) -> Iterator[Remark]:
    """A credentials file that is named and not there."""
    named = scene.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    if named and named != os.devnull and not exists(scene.credentials_path):
        yield Finding(
            "credentials-missing",
            f"AWS_SHARED_CREDENTIALS_FILE names {scene.shown(scene.credentials_path)}, which is not there",
            "Keys in the usual place are not looked at then",
            Mend(unset(scene, ["AWS_SHARED_CREDENTIALS_FILE"])),
            "hint",
        )


def host(url: str) -> str:
    """Host and port of an address, without what may be a password."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        named, port = parts.hostname, parts.port
    except ValueError:
        return "nowhere"
    return f"{named}:{port}" if named and port else named or "nowhere"


def unset(scene: Scene, names: Sequence[str]) -> str:
    """What takes these variables away in the person's shell."""
    shell = shell_name(scene)
    if shell == "fish":
        return f"set -e {' '.join(names)}"
    if shell == "powershell":
        return f"Remove-Item {', '.join(f'Env:{name}' for name in names)}"
    return f"unset {' '.join(names)}"


def export(scene: Scene, name: str, value: str) -> str:
    """What sets a variable in the person's shell."""
    shell = shell_name(scene)
    if shell == "powershell":
        return f"$env:{name} = {shell_files.SHELLS[shell][1](value)}"
    word = shell_files.word_for(shell or "bash", value)
    return f"set -gx {name} {word}" if shell == "fish" else f"export {name}={word}"


def shell_name(scene: Scene) -> str | None:
    """The person's shell, as `shell_files.SHELLS` has it; None for another one."""
    name = scene.environ.get("_CREDHELPER_IN") or Path(scene.environ.get("SHELL", "")).name
    if scene.interactive and not scene.environ.get("_CREDHELPER_IN"):
        name = _parent_shell() or name
    return {"bash": "bash", "zsh": "zsh", "fish": "fish", "pwsh": "powershell", "powershell": "powershell"}.get(name)


def _parent_shell() -> str | None:
    """The nearest shell among those that started us."""
    import psutil  # noqa: PLC0415 - not for programs

    try:
        names = [process.name().lstrip("-") for process in psutil.Process().parents()]
    except psutil.Error:
        return None
    return next((name for name in names if name in {"bash", "zsh", "fish", "pwsh"}), None)


def _where(scene: Scene, name: str) -> str:
    """` in FILE, line N` where a start-up file of the shell sets it; nothing of the line itself."""
    shell = shell_name(scene)
    home = scene.paths.home
    paths = [home / file for file in _START_FILES]
    if shell is not None:
        places = rc_places.places(shell, scene.paths, scene.environ)
        paths = [*places.install, *places.others, *paths]
    pattern = re.compile(rb"^[^#]*\b" + name.encode() + rb"\b")
    for path in dict.fromkeys(paths):
        try:
            lines = files.read_bytes(path).splitlines()
        except (FileNotFoundError, CredhelperError):
            continue
        for number, line in enumerate(lines, 1):
            if pattern.match(line) and not re.match(rb"\s*(unset|set -e)\b", line):
                return f" in {scene.shown(path)}, line {number}"
    return ""


CHECKS: tuple[Check, ...] = (access_keys, web_identity, profile, region, endpoints, files_named)
