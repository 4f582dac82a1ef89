"""The programs of others, each as its own `credential_process` against the stand-in, beside the helper.

Each has a home folder of its own, with the same login in the AWS token cache and a profile in the form that it reads.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import peers
from benchmarks.rounds import Unusable, try_out
from benchmarks.world import ACCOUNT, ROLE, SESSION, World, write_token
from credhelper.paths import Paths
from tests.parts import aws_cli

_URL_PROFILE = "url"
_PASSWORD = "bench"  # noqa: S105 - of a keyring that lasts as long as the run
_SEEDED = "session put into its store by us"
# Whoever does not heed the variables that name the stand-in would ask AWS itself.
_NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was tried and gives credentials.

    Attributes:
        name: for the table.
        command: gives credentials on stdout.
        environ: for it.
        forget: what makes it ask AWS again; None where it can only answer from its own cache here.
        note: for the table.
        cold: why it cannot ask the stand-in, where it cannot.
    """

    name: str
    command: list[str]
    environ: Mapping[str, str]
    forget: Callable[[], object] | None
    note: str = ""
    cold: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """A program that cannot be measured, and why."""

    name: str
    why: str


def programs(world: World, top: Path) -> Iterator[Program | Missing]:
    """Each program in turn, tried once in a home folder below `top`."""
    for name, make in _MAKERS.items():
        home = top / name.split()[0]
        environ = {**world.environ, **_NO_NETWORK, "HOME": str(home)}
        try:
            program = make(name, _home(world, home), environ, world)
            try_out(program.command, program.environ)
        except Unusable as reason:
            yield Missing(name, _reason(reason, home))
        else:
            peer = name.split()[0]
            about = peers.described(peer) if peer in peers.PEERS else ""
            yield replace(program, note="; ".join(filter(None, (about, program.note))))


def _home(world: World, home: Path) -> Paths:
    paths = Paths(home)
    paths.aws.mkdir(parents=True)
    write_token(paths, world.token)
    url, region = world.token["startUrl"], world.token["region"]
    role = f"sso_account_id = {ACCOUNT}\nsso_role_name = {ROLE}\nregion = {region}\n"
    (paths.aws / "config").write_text(
        f"[sso-session {SESSION}]\nsso_start_url = {url}\nsso_region = {region}\n"
        f"[profile {SESSION}]\nsso_session = {SESSION}\n{role}"
        f"[profile {_URL_PROFILE}]\nsso_start_url = {url}\nsso_region = {region}\n{role}"
    )
    return paths


def _aws_cli(name: str, paths: Paths, environ: Mapping[str, str], _world: World) -> Program:
    executable = aws_cli.executable()
    if not executable.is_file():
        raise Unusable("not here; get it by `python -m tests.parts.aws_cli`")
    command = [str(executable), "configure", "export-credentials", "--profile", SESSION]
    return Program(name, command, environ, lambda: _remove(paths.cli_cache))


def _sso_util(name: str, paths: Paths, environ: Mapping[str, str], _world: World) -> Program:
    command = [str(peers.executable("aws-sso-util")), "credential-process", "--profile", _URL_PROFILE]
    return Program(name, command, environ, lambda: _remove(paths.cli_cache))


def _granted(name: str, paths: Paths, environ: Mapping[str, str], world: World) -> Program:
    folder = paths.home / ".dgranted"  # where one that is built from its source looks
    folder.mkdir()
    (folder / "config").write_text('DefaultBrowser = "STDOUT"\n[Keyring]\nBackend = "file"\n')
    command = [str(peers.executable("granted")), "credential-process", "--profile", _URL_PROFILE]
    clean = {**environ, "CF_KEYRING_FILE_PASSWORD": _PASSWORD, "GRANTED_DISABLE_UPDATE_CHECK": "true"}
    cold = _why_not([*command, "--no-cache", "--auto-login"], clean)
    answer = _role_credentials(world)
    session = {
        "AccessKeyID": answer["AccessKeyId"],
        "SecretAccessKey": answer["SecretAccessKey"],
        "SessionToken": answer["SessionToken"],
        "CanExpire": True,
        "Expires": answer["Expiration"],
    }
    _into_keyring(folder / "secure-storage-aws-session-credentials", _URL_PROFILE, session)
    return Program(name, command, clean, None, _SEEDED, cold)


def _aws_vault(name: str, paths: Paths, environ: Mapping[str, str], world: World) -> Program:
    command = [str(peers.executable("aws-vault")), "export", "--format=json", _URL_PROFILE]
    clean = {**environ, "AWS_VAULT_BACKEND": "file", "AWS_VAULT_FILE_PASSPHRASE": _PASSWORD}
    cold = _why_not(command, clean)
    answer = _role_credentials(world)
    session = {name: answer[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")}
    ends = datetime.datetime.fromisoformat(answer["Expiration"])
    parts = [
        base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
        for part in (_URL_PROFILE, world.token["startUrl"])
    ]
    key = f"sso.GetRoleCredentials,{parts[0]},{parts[1]},{int(ends.timestamp())}"
    _into_keyring(paths.home / ".awsvault" / "keys", key, session)
    return Program(name, command, clean, None, _SEEDED, cold)


def _aws_sso_cli(name: str, paths: Paths, environ: Mapping[str, str], world: World) -> Program:
    folder = paths.home / ".aws-sso"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        f"SSOConfig:\n  Default:\n    SSORegion: {world.token['region']}\n    StartUrl: {world.token['startUrl']}\n"
        "    MaxRetry: 1\n    MaxBackoff: 1\nMaxRetry: 1\nMaxBackoff: 1\nDefaultSSO: Default\n"
        "SecureStore: json\nCacheRefresh: -1\nUrlAction: exec\n"
        "UrlExecCommand: [/bin/true, '%s']\n"
    )
    command = [str(peers.executable("aws-sso")), "process", "--account", ACCOUNT, "--role", ROLE]
    cold = _why_not([*command, "--sts-refresh"], environ)
    answer = _role_credentials(world)
    ends = int(datetime.datetime.fromisoformat(answer["Expiration"]).timestamp())
    arn = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
    role = {
        "roleName": ROLE,
        "accountId": int(ACCOUNT),
        "accessKeyId": answer["AccessKeyId"],
        "secretAccessKey": answer["SecretAccessKey"],
        "sessionToken": answer["SessionToken"],
        "expiration": ends * 1000,
    }
    token = {"accessToken": world.token["accessToken"], "expiresIn": 3600, "expiresAt": ends, "tokenType": "Bearer"}
    store = {"CreateTokenResponse": {"Default": token}, "RoleCredentials": {arn: role}}
    (folder / "store.json").write_text(json.dumps(store))
    account = {"Roles": {ROLE: {"Arn": arn, "Expires": ends}}}
    roles = {"SSORegion": world.token["region"], "StartUrl": world.token["startUrl"], "Accounts": {ACCOUNT: account}}
    known = {"LastUpdate": int(time.time()), "Roles": roles}
    (folder / "cache.json").write_text(json.dumps({"Version": 4, "ConfigCreatedAt": ends, "SSO": {"Default": known}}))
    return Program(name, command, environ, None, f"{_SEEDED}: plain JSON, its quickest", cold)


def _role_credentials(world: World) -> dict[str, str]:
    """What the stand-in gave for the role, as the helper says it."""
    done = subprocess.run(world.helper, env=world.environ, capture_output=True, check=True, timeout=30)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _into_keyring(folder: Path, key: str, entry: object) -> None:
    command = [str(peers.executable("keyring")), str(folder), _PASSWORD, key]
    done = subprocess.run(command, input=json.dumps(entry).encode(), capture_output=True, check=False, timeout=30)
    if done.returncode:
        raise Unusable(f"its keyring cannot be written: {done.stderr.decode('utf-8', 'replace').strip()}")


def _why_not(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Why it cannot ask the stand-in, in its own words."""
    try:
        try_out(command, environ)
    except Unusable as reason:
        return _reason(reason, Path(environ["HOME"]))
    return "it can ask the stand-in, but has no turn of its own here for that"


def _reason(reason: Unusable, home: Path) -> str:
    said = str(reason).replace(str(home), "~")
    return f"it asks AWS's own address, whatever the environment says: {said}" if ".amazonaws.com" in said else said


_MAKERS: Mapping[str, Callable[[str, Paths, Mapping[str, str], World], Program]] = {
    "aws configure export-credentials (AWS CLI v2)": _aws_cli,
    "aws-sso-util credential-process": _sso_util,
    "granted credential-process": _granted,
    "aws-vault export": _aws_vault,
    "aws-sso process (aws-sso-cli)": _aws_sso_cli,
}


def _remove(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
