"""Whose credentials a profile ends up with."""

from __future__ import annotations

import pytest

from credhelper.aws.config import parse_config
from credhelper.aws.config.sources import source_of

CONFIG = b"""\
[default]
region = eu-west-1
[profile plain]
sso_session = corp
[profile role]
role_arn = arn:aws:iam::1:role/a
source_profile = plain
[profile role-of-role]
role_arn = arn:aws:iam::1:role/b
source_profile = role
[profile from-default]
role_arn = arn:aws:iam::1:role/c
source_profile = default
[profile machine]
role_arn = arn:aws:iam::1:role/d
credential_source = Ec2InstanceMetadata
[profile web]
role_arn = arn:aws:iam::1:role/e
web_identity_token_file = /run/token
source_profile = plain
[profile itself]
role_arn = arn:aws:iam::1:role/f
source_profile = itself
aws_access_key_id = A
aws_secret_access_key = B
[profile of-keys]
role_arn = arn:aws:iam::1:role/g
source_profile = itself
[profile one]
role_arn = arn:aws:iam::1:role/h
source_profile = two
[profile two]
role_arn = arn:aws:iam::1:role/i
source_profile = one
[profile of-none]
role_arn = arn:aws:iam::1:role/j
source_profile = nowhere
[profile unused]
source_profile = plain
"""


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("plain", "plain"),
        ("default", "default"),
        ("role", "plain"),
        ("role-of-role", "plain"),
        ("from-default", "default"),
        ("machine", None),
        ("web", None),
        ("itself", "itself"),
        ("of-keys", "itself"),
        ("one", None),
        ("of-none", None),
        ("nowhere", None),
        ("unused", "unused"),
    ],
)
def test_source(name: str, source: str | None) -> None:
    assert source_of(name, parse_config(CONFIG).profiles) == source
