"""Any file of the token cache and of our own records: a token, or an error that says so, and nothing lost."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import parse_token, render_token
from credhelper.core.report import date
from credhelper.core.schedule import renew_at
from credhelper.dates import format_date
from credhelper.errors import TokenUnreadable
from credhelper.model import Token

MAX_LEN = 700
LINES = False
WORDS = (
    b'"accessToken"', b'"expiresAt"', b'"startUrl"', b'"region"', b'"refreshToken"', b'"clientId"', b'"clientSecret"',
    b'"registrationExpiresAt"', b'"client"', b'"endpoints"', b'"logged_in_at"', b'"lifetime"', b'"expires_at"',
    b'"oidc"', b'"portal"', b'"2027-01-15T08:00:00Z"', b'"2027-01-15T08:00:00UTC"', b'"0001-01-01T00:00:00Z"',
    b'"9999-12-31T23:59:61Z"', b'"2027-01-15T08:00:00.5Z"', b"NaN", b"-Infinity", b"1e999", b"null", b"true", b"-0",
    b"[[[[[[[[", b"]]]]]]]]", b'{"a":', b"\\ud800", b"\\u0000", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"9" * 400, b"\\n",
    b'"https://d-1.awsapps.com/start/#"', b"https://[", b"//", b"\x00", b"[" * 300,
)  # fmt: skip
_TOKEN = {
    "startUrl": "https://d-1.awsapps.com/start/",
    "region": "eu-west-1",
    "accessToken": "at",
    "expiresAt": "2027-01-15T08:00:00Z",
    "clientId": "ci",
    "clientSecret": "cs",
    "registrationExpiresAt": "2027-02-15T08:00:00Z",
    "refreshToken": "rt",
}
_RECORD = {
    "client": "0" * 32,
    "endpoints": {"oidc": "https://x", "portal": None, "sts": None},
    "logged_in_at": 1.8e9,
    "lifetime": 3600.0,
    "expires_at": 1.8e9,
}
NOW = 1_800_000_000.0
_FOLDER = Path(tempfile.mkdtemp(prefix="credhelper-fuzz-"))
_RECORDS = LoginRecords(_FOLDER)
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)


def seeds() -> list[bytes]:
    """Files as the AWS CLI and this program write them."""
    return [
        b"{}",
        *(
            json.dumps(content).encode()
            for content in (
                _TOKEN,
                {"accessToken": "at", "expiresAt": "2027-01-15T08:00:00UTC"},
                {**_TOKEN, "vendor": {"a": [1, None, 1.5, "\ud800"]}},
                _RECORD,
            )
        ),
    ]


def one(data: bytes) -> None:
    _record(data)
    try:
        token = parse_token(data, NOW)
    except TokenUnreadable as error:
        assert len(str(error)) < 100
        return
    content = json.loads(data)
    _says_the_same(token, content)
    renew_at(token.expires_at, token.lifetime)
    date(token.expires_at)
    token.refreshable(NOW)
    rendered = render_token(token)
    again = parse_token(rendered, NOW)
    assert again == token, "not the same after it was written"
    json.loads(rendered, parse_constant=_no_json)
    assert render_token(again) == rendered
    assert format_date(token.expires_at).encode() in rendered


def _says_the_same(token: Token, content: dict[str, Any]) -> None:
    assert token.access_token == content["accessToken"]
    for name, value in (
        ("startUrl", token.start_url),
        ("region", token.region),
        ("refreshToken", token.refresh_token),
        ("clientId", token.client_id),
        ("clientSecret", token.client_secret),
    ):
        assert value is None or value == content[name]
    unknown = {name: value for name, value in content.items() if name not in _TOKEN}
    assert json.dumps(token.extra, sort_keys=True) == json.dumps(unknown, sort_keys=True), "an unknown field was lost"


def _no_json(text: str) -> None:
    raise AssertionError(f"{text} is written, which no other client reads")


def _record(data: bytes) -> None:
    (_FOLDER / "x.json").write_bytes(data)
    record = _RECORDS._read_path(_FOLDER / "x.json")
    if record is not None:
        date(record.logged_in_at)
        date(record.expires_at)
        assert record.lifetime >= 0
