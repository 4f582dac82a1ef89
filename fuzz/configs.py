"""AWS config files to begin with, and how botocore reads one."""

from __future__ import annotations

import atexit
import configparser
import functools
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from botocore.configloader import build_profile_map, load_config
from botocore.exceptions import ConfigParseError

WORDS = (
    b"[default]",
    b"[profile default]",
    b"[profile a]",
    b'[profile "a"]',
    b"[profile 'b c']",
    b" [profile d]",
    b"[profile d ] # c",
    "[profile ö]".encode(),
    b"[profile broken",
    b"[profile a b]",
    b"[sso-session s]",
    b"[sso-session d-1]",
    b"[services x]",
    b"[DEFAULT]",
    b"[]",
    b"region = eu-west-1",
    b"output: json",
    b"s3 =",
    b"  max_queue_size = 10",
    b"    deeper",
    b"\tsso_region = not here",
    b"sso_session = s",
    b"sso_account_id = 123456789012",
    b"sso_account_id=000000000001 ; spare",
    b"sso_role_name = Admin",
    "SSO_Role_Name: Röle with blanks".encode(),
    b"sso_start_url = https://d-1.awsapps.com/start/#",
    b"sso_start_url = https://d-1.awsapps.com/start",
    b"sso_region = eu-west-1",
    b"sso_registration_scopes = sso:account:access",
    b"  sso_account_id = 123456789012",
    b"credential_process = /bin/mine --x",
    b"credential_process =",
    b"credential_process = /old/credhelper/credential-process s 1 r",
    b"credential_process = /home/b/.local/share/credhelper/credential-process s 123456789012 Admin",
    b"role_arn = arn:aws:iam::1:role/x",
    b"aws_access_key_id = AK",
    b"#credhelper: added",
    b"#credhelper: sso_session = s",
    b"#credhelper: sso_account_id = 123456789012",
    b"#credhelper: sso_role_name = Admin",
    b"#credhelper: added section 00000000, blank line",
    b"# a comment: with a colon",
    b"  ; sso_region = commented",
    b"",
    b" \t ",
    b"= nameless",
    b"in valid = x",
    b"junk",
    b"\x00",
    "\u00a0sso_region = x".encode(),
    "\u2028".encode(),
    "\u0085x = y".encode(),
    b"\x0b",
    b"\x1c",
    b"\xff = \xfe",
    b"\xef\xbb\xbf",
)
_SESSION = b"[sso-session s]\nsso_start_url = https://d-1.awsapps.com/start/\nsso_region = eu-west-1\n"
_OF_SESSION = b"sso_session = s\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
_LEGACY = (
    b"sso_start_url = https://d-1.awsapps.com/start/#\nsso_region = eu-west-1\n"
    b"sso_account_id = 123456789012\nsso_role_name = Admin\n"
)


def seeds() -> list[bytes]:
    """Small files as people have them."""
    return [
        b"",
        b"[default]\nregion = eu-west-1\n",
        b"[profile a]\n" + _OF_SESSION + _SESSION,
        b"[profile a]\r\n" + _LEGACY.replace(b"\n", b"\r\n"),
        b"[default]\n" + _LEGACY + b"s3 =\n  a = b\n\n[profile b]\n  " + _LEGACY.replace(b"\n", b"\n  ").rstrip(),
        b"[profile 'a b'] # c\n" + _OF_SESSION + b"[profile a]\nrole_arn = x\nsource_profile = a b\n" + _SESSION,
        b"[profile a]\n#credhelper: added\n"
        b"credential_process = /x/credhelper/credential-process s 123456789012 Admin\n"
        b"#credhelper: sso_session = s\n#credhelper: sso_account_id = 123456789012\n"
        b"#credhelper: sso_role_name = Admin\n" + _SESSION,
    ]


def lines(data: bytes) -> list[bytes]:
    """Lines as Python's text mode sees them, ends included; by that mode itself."""
    return [line.encode("latin-1") for line in io.StringIO(data.decode("latin-1"), newline="")]


@functools.cache
def _file() -> Path:
    """A file's place in a folder that is nobody else's, gone with this process."""
    folder = tempfile.mkdtemp(prefix="credhelper-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "config"


def names_for_botocore(header: str, kind: str) -> set[str]:
    """The name that botocore finds in what stands between the brackets: of `profiles` or `sso_sessions`, or none."""
    return set(build_profile_map({header: {}})[kind])


def as_botocore(data: bytes) -> dict[str, Any] | None:
    """What botocore, and so the AWS CLI and boto3, reads in these bytes; None where it refuses them."""
    file = _file()
    file.write_bytes(data)
    try:
        return load_config(str(file))
    except (ConfigParseError, configparser.Error, ValueError, AttributeError):
        return None
    finally:
        file.unlink()
