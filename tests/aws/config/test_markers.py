"""The marked lines: what is taken for one of ours, and what is the user's own comment."""

from __future__ import annotations

import pytest

from credhelper.aws.config import disable, enable

HELPER = "/home/b/.local/share/credhelper/credential-process"
CONFIG = b"""\
[profile a]
region = eu-west-1
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Admin

[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""
COMMENTS = [
    b"#credhelper: ask Bob before you touch this\n",
    b"#credhelper: see https://example.com/sso_help?a=b\n",
    b"#credhelper: region = eu-central-1\n",
    b"#credhelper: aws_access_key_id = none\n",
    b"#credhelper: sso\n",
    b"#credhelper: sso login: each morning\n",
    b"#credhelper: added by Bob\n",
    b"#credhelper: \n",
    b"#credhelper:\n",
    b"#credhelper sso_region = x\n",
]


@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize("before", [b"region", b"sso_role_name", b"\n[sso-session"])
def test_a_comment_of_the_users_own_stays(comment: bytes, before: bytes) -> None:
    data = CONFIG.replace(before, comment + before, 1)
    nothing = disable(data, None)
    assert (nothing.data, nothing.changed) == (data, [])
    enabled = enable(data, None, helper=HELPER, credentials={})
    assert enabled.changed == ["a"]
    assert comment in enabled.data
    assert disable(enabled.data, None).data == data


@pytest.mark.parametrize("comment", COMMENTS)
def test_one_that_was_added_meanwhile_stays_too(comment: bytes) -> None:
    enabled = enable(CONFIG, None, helper=HELPER, credentials={}).data
    mark = b"#credhelper: sso_role_name"
    assert disable(enabled.replace(mark, comment + mark), None).data == CONFIG.replace(
        b"sso_role_name", comment + b"sso_role_name"
    )
