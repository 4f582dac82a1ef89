"""What wins over the helper line of a managed profile, and which profiles have none."""

from __future__ import annotations

from collections.abc import Iterator

from credhelper.aws.config.apply import plan_enable
from credhelper.doctor.installation import enabling, listed
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene
from credhelper.errors import CredhelperError
from credhelper.names import command_for
from credhelper.paths import chosen_profile
from credhelper.terminal import counted

# How Cloud9 begins the credentials file that it keeps.
_CLOUD9 = b"Do not modify this file, if this file is modified it will not be updated"
_CLOUD9_OFF = 'aws cloud9 update-environment --environment-id "$C9_PID" --managed-credentials-action DISABLE'


def shadowed(scene: Scene) -> Iterator[Remark]:
    """Live `sso_*` keys beside the helper line, in the profile or in [DEFAULT]."""
    back: dict[str, list[str]] = {}
    inherited: dict[str, list[str]] = {}
    for profile in scene.managed:
        live = [key for key in profile.shadowed_by if key.startswith("sso_")]
        own = [key for key in live if key in scene.config.profiles[profile.name]]
        if own:
            back.setdefault(", ".join(own), []).append(profile.name)
        elif live:
            inherited.setdefault(", ".join(live), []).append(profile.name)
    for keys, names in back.items():
        yield Finding(
            "shadowed-sso",
            f"{listed(names)} {_is(names)} shadowed: {keys} came back beside the helper line",
            "Another program, such as `aws configure sso`, wrote them again. The AWS CLI, boto3 and most SDKs then "
            "pass the helper by and look for a token themselves",
            enabling(names),
        )
    for keys, names in inherited.items():
        yield Finding(
            "shadowed-inherited",
            f"{listed(names)} {_is(names)} shadowed: [DEFAULT] gives {keys} to every profile",
            "The AWS CLI and boto3 add what [DEFAULT] says, in capitals, to all sections, where it wins over the "
            "helper line",
            Mend(scene.edit(scene.config_path), f"Take {keys} out of [DEFAULT]"),
        )


def static_keys(scene: Scene) -> Iterator[Remark]:
    """Access keys of the same name as a managed profile."""
    for profile in scene.managed:
        keys = [key for key in profile.shadowed_by if not key.startswith("sso_")]
        if not keys or (profile.name == "default" and _kept_by_cloud9(scene)):
            continue
        in_config = any(key in scene.config.profiles[profile.name] for key in keys)
        path = scene.config_path if in_config else scene.credentials_path
        section = (
            f"[{profile.name}] of {scene.shown(path)}" if not in_config else f"its section in {scene.shown(path)}"
        )
        yield Finding(
            "shadowed-keys",
            f"{profile.name} is shadowed: {section} has {', '.join(keys)}",
            "Access keys win over the helper line in the AWS CLI, boto3 and most SDKs, also once they have expired",
            Mend(
                scene.edit(path),
                "Take them out there, or give them a profile of another name; they may be the only copy, so nobody "
                "does it for you",
            ),
        )


def cloud9(scene: Scene) -> Iterator[Remark]:
    """The keys that Cloud9 keeps in [default]."""
    if not _kept_by_cloud9(scene):
        return
    chosen = chosen_profile(scene.environ)
    managed = any(profile.name == "default" for profile in scene.managed)
    yield Finding(
        "cloud9-default",
        f"Cloud9 keeps its own keys in [default] of {scene.shown(scene.credentials_path)}",
        "They are renewed behind your back, and every program without a profile works as them"
        + (": they win over the helper line of `default` too" if managed else ""),
        Mend(
            f"{_CLOUD9_OFF} && rm {scene.word(scene.credentials_path)}",
            "Switch them off in Cloud9's preferences (AWS Settings, AWS managed temporary credentials), or here",
        )
        if set(scene.credentials.profiles) <= {"default"}
        else Mend(_CLOUD9_OFF, f"Take [default] out of {scene.shown(scene.credentials_path)} too, once this is done"),
        "problem" if managed or chosen in {None, "default"} else "hint",
    )


def unmanaged(scene: Scene) -> Iterator[Remark]:
    """Profiles that use Identity Center without us."""
    names = [
        profile.name
        for profile in scene.profiles
        if not profile.managed and profile.session and profile.account_id and profile.role_name
    ]
    if names:
        try:  # some are none of ours to enable: they assume a role, or have a process of their own
            names = plan_enable(scene.paths, scene.environ, names).edit.changed
        except CredhelperError:
            names = []
    if scene.managed:
        yield Well(f"{counted(len(scene.managed), 'profile')} through credhelper")
    if names:
        few = 3
        yield Finding(
            "unmanaged",
            f"{listed(names)} {_uses(names)} Identity Center without credhelper",
            "Their tokens are renewed all the same, but each program asks AWS by itself, and fails where the session "
            "ends",
            Mend(command_for("enable", *names) if len(names) <= few else "credhelper enable --all --dry-run"),
            "hint",
        )


def _kept_by_cloud9(scene: Scene) -> bool:
    values = scene.credentials.profiles.get("default", {})
    if not values.get("aws_access_key_id"):
        return False
    in_cloud9 = any(name.startswith("C9_") for name in scene.environ)
    return _CLOUD9 in scene.credentials.data or (in_cloud9 and "aws_session_token" in values)


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _uses(names: list[str]) -> str:
    return "uses" if len(names) == 1 else "use"


CHECKS: tuple[Check, ...] = (shadowed, static_keys, cloud9, unmanaged)
