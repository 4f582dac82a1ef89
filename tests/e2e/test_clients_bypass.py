"""Why `enable` comments `sso_*` lines out: what each real client makes of a profile that has a helper beside them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from credhelper.aws.tokens import TokenCache
from tests.e2e.conftest import LEGACY_URL, SESSION_URL, Machine
from tests.e2e.programs import CLIENTS

ACCOUNT, ROLE = "100000000001", "AWSAdministratorAccess"
_ROLE_KEYS = [f"sso_account_id = {ACCOUNT}", f"sso_role_name = {ROLE}"]
_URL_KEYS = [f"sso_start_url = {LEGACY_URL}", "sso_region = eu-west-1"]
PROFILES = {
    "session, account, role": ["sso_session = corp", *_ROLE_KEYS],
    "start URL, region, account, role": [*_URL_KEYS, *_ROLE_KEYS],
    "session only": ["sso_session = corp"],
    "start URL and region only": _URL_KEYS,
    "no sso key": [],
}
SSO, EMPTY, PROCESS, REFUSED = "SSO wins", "SSO with empty account and role", "process", "config load error"
_BOTOCORE = [SSO, SSO, PROCESS, PROCESS, PROCESS]
OUTCOMES = {
    "aws": _BOTOCORE,
    "boto3": _BOTOCORE,
    "js": [PROCESS, PROCESS, PROCESS, PROCESS, PROCESS],
    "go": [SSO, SSO, EMPTY, REFUSED, PROCESS],
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("keys", PROFILES)
def test_what_wins(machine: Machine, tmp_path: Path, client: str, keys: str) -> None:
    # Both sessions are logged in, so that nothing but its own choice keeps a client from SSO.
    cache = TokenCache(machine.paths.token_cache, machine.paths.locks)
    for key, url in (("corp", SESSION_URL), (LEGACY_URL, LEGACY_URL)):
        path = cache.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(machine.standin.seed_session(url, "eu-west-1")))
    witness, helper = tmp_path / "ran", tmp_path / "helper"
    credentials = {"Version": 1, "AccessKeyId": "made-up", "SecretAccessKey": "made-up", "SessionToken": "made-up"}
    helper.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(witness))}\necho {shlex.quote(json.dumps(credentials))}\n")
    helper.chmod(0o700)
    lines = "\n".join([*PROFILES[keys], f"credential_process = {helper}", "region = eu-west-1"])
    machine.config.write_text(f"{machine.config.read_text()}\n[profile bare]\n{lines}\n")

    done = machine.ask_once(client, "bare")
    asked = {(call.caller == "credhelper", call.detail) for call in machine.standin.calls("GetRoleCredentials")}
    codes = [call.error_code for call in machine.standin.calls("GetCallerIdentity")]
    outcome = f"unknown: helper ran {witness.exists()}, portal asked {asked}, sts said {codes}, {done}"
    if witness.exists() and not asked and codes == ["InvalidClientTokenId"]:
        outcome = PROCESS  # and the helper's credentials, which are made up, were used
    elif not witness.exists() and asked == {(False, f"{ACCOUNT}/{ROLE}")} and codes == [None]:
        outcome = SSO
        assert done.returncode == 0
        assert ACCOUNT in done.stdout
    elif not witness.exists() and asked == {(False, "/")} and not codes:
        outcome = EMPTY
    elif not witness.exists() and not asked and not codes and done.returncode != 0:
        outcome = REFUSED
        assert "sso" in done.stderr.lower()
    assert outcome == OUTCOMES[client][list(PROFILES).index(keys)]
