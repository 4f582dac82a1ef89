"""What docs/coming-from.md says of other tools' profiles: the names of ours, and what `enable` does with theirs."""

from __future__ import annotations

import re

import pytest

from credhelper.aws.config.disabling import disable
from credhelper.aws.config.enabling import enable
from credhelper.profile_names import Subject, Template, assign
from tests.sandbox import PROJECT

HELPER = "/home/b/.local/share/credhelper/credential-process"
SUBJECT = Subject("corp", "012345678901", "Data Lake (prod)", "data@example.com", "AdministratorAccess")
# As these tools write them (names and keys: see the page's last section).
OTHERS = """\
[profile Data-Lake/Audit]
granted_sso_start_url      = https://d-1111111111.awsapps.com/start
granted_sso_region         = eu-west-1
granted_sso_account_id     = 100000000001
granted_sso_role_name      = Audit
common_fate_generated_from = aws-sso
credential_process         = granted credential-process --profile Data-Lake/Audit

# BEGIN_AWS_SSO_CLI

[profile 100000000001:Audit]
credential_process = /usr/bin/aws-sso process --sso Default --arn arn:aws:iam::100000000001:role/Audit

# END_AWS_SSO_CLI

[profile keys]
credential_process = aws-vault export --format=json keys
"""
# `granted sso populate --no-credential-process`, and what aws-vault reads.
PLAIN = """\
[profile Data-Lake/Audit]
sso_start_url              = https://d-1111111111.awsapps.com/start
sso_region                 = eu-west-1
sso_account_id             = 100000000001
common_fate_generated_from = aws-sso
sso_role_name              = Audit

[profile vaulted]
sso_start_url=https://d-1111111111.awsapps.com/start
sso_region=eu-west-1
sso_account_id=100000000002
sso_role_name=Audit
"""


def section(tool: str) -> str:
    text = (PROJECT / "docs/coming-from.md").read_text(encoding="utf-8")
    return text.partition(f"## From {tool}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("aws sso login", "AdministratorAccess-012345678901"),
        ("aws-sso-cli", "012345678901:AdministratorAccess"),
        ("Granted", "Data-Lake-prod/AdministratorAccess"),
    ],
)
def test_the_template_gives_the_names_of_before(tool: str, name: str) -> None:
    (template,) = re.findall(r"--template '([^']+)'", section(tool))
    assert assign([SUBJECT], Template.parse(template), set()) == {SUBJECT: name}


def test_their_own_profiles_are_left_alone() -> None:
    edit = enable(OTHERS.encode(), None, helper=HELPER, credentials={})
    assert edit.data == OTHERS.encode()
    assert edit.changed == []
    assert len(edit.unchanged) == 3


def test_their_plain_profiles_are_served_and_given_back() -> None:
    edit = enable(PLAIN.encode(), None, helper=HELPER, credentials={})
    assert edit.changed == ["Data-Lake/Audit", "vaulted"]
    lines = edit.data.decode().splitlines()
    assert len([line for line in lines if line.startswith(f"credential_process = {HELPER} ")]) == 2
    assert disable(edit.data, None).data == PLAIN.encode()
