"""Links into the console, by partition and by form of the portal's address."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper import console
from credhelper.aws.browser import is_aws_page
from credhelper.errors import ConfigError, UsageError

ACCOUNT, ROLE = "123456789012", "S3FullAccess"
QUERY = f"/#/console?account_id={ACCOUNT}&role_name={ROLE}"


@pytest.mark.parametrize(
    ("start_url", "region", "base"),
    [
        ("https://example.awsapps.com/start", "eu-west-1", "https://example.awsapps.com/start"),
        ("https://D-93670BD35A.awsapps.com/start/#/", "eu-west-1", "https://d-93670bd35a.awsapps.com/start"),
        ("https://example.awsapps.com/start/?tab=accounts", "eu-west-1", "https://example.awsapps.com/start"),
        (
            "https://ssoins-1234567890abcdef.portal.us-east-1.app.aws",
            "us-east-1",
            "https://ssoins-1234567890abcdef.portal.us-east-1.app.aws",
        ),
        (
            "https://ssoins-1234567890abcdef.eu-west-1.portal.amazonaws.com/",
            "us-east-1",
            "https://ssoins-1234567890abcdef.eu-west-1.portal.amazonaws.com",
        ),
        (
            "https://start.us-gov-west-1.us-gov-home.awsapps.com/directory/example",
            "us-gov-west-1",
            "https://start.us-gov-west-1.us-gov-home.awsapps.com/directory/example",
        ),
        (
            "https://start.home.awsapps.cn/directory/d-1#/",
            "cn-north-1",
            "https://start.home.awsapps.cn/directory/d-1",
        ),
        (
            "https://identitycenter.amazonaws.com/ssoins-1234567890abcdef",
            "eu-north-1",
            "https://ssoins-1234567890abcdef.portal.eu-north-1.app.aws",
        ),
        (
            "https://identitycenter.us-gov.amazonaws.com/ssoins-1",
            "us-gov-east-1",
            "https://ssoins-1.portal.us-gov-east-1.app.aws",
        ),
        (
            "https://identitycenter.amazonaws.com.cn/ssoins-1",
            "cn-north-1",
            "https://ssoins-1.cn-north-1.portal.amazonaws.com.cn",
        ),
        (
            "https://identitycenter.amazonaws.eu/ssoins-1",
            "eusc-de-east-1",
            "https://ssoins-1.eusc-de-east-1.portal.amazonaws.eu",
        ),
    ],
)
def test_every_form_of_a_portal_is_extended_in_the_same_way(start_url: str, region: str, base: str) -> None:
    made = console.link(start_url, region, ACCOUNT, ROLE)
    assert made == base + QUERY
    assert is_aws_page(made)


@pytest.mark.parametrize(
    ("service", "region", "home", "expected"),
    [
        (None, None, "eu-west-1", None),
        (None, "eu-west-1", "us-east-1", "https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1"),
        ("s3", None, "eu-west-1", "https://console.aws.amazon.com/s3/home"),
        ("S3", "ap-southeast-3", "eu-west-1", "https://ap-southeast-3.console.aws.amazon.com/s3/home?region=ap-southeast-3"),
        ("ssm", "eu-west-1", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/systems-manager/home?region=eu-west-1"),
        ("iam", "eu-west-1", "eu-west-1", "https://console.aws.amazon.com/iam/home"),
        (
            "elbv2",
            "eu-west-1",
            "eu-west-1",
            "https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#LoadBalancers:",
        ),
        ("new-thing", "eu-west-1", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/new-thing/home?region=eu-west-1"),
        (
            "s3/buckets/my.bucket",
            "eu-west-1",
            "eu-west-1",
            "https://eu-west-1.console.aws.amazon.com/s3/buckets/my.bucket?region=eu-west-1",
        ),
        (
            "s3",
            "us-gov-west-1",
            "us-gov-east-1",
            "https://us-gov-west-1.console.amazonaws-us-gov.com/s3/home?region=us-gov-west-1",
        ),
        ("iam", None, "us-gov-west-1", "https://console.amazonaws-us-gov.com/iam/home"),
        ("s3", "cn-northwest-1", "cn-north-1", "https://cn-northwest-1.console.amazonaws.cn/s3/home?region=cn-northwest-1"),
        ("s3", None, "cn-north-1", "https://console.amazonaws.cn/s3/home"),
        (
            "iam",
            None,
            "eusc-de-east-1",
            "https://eusc-de-east-1.console.amazonaws-eusc.eu/iam/home?region=eusc-de-east-1",
        ),
    ],
)  # fmt: skip
def test_pages_of_the_console(service: str | None, region: str | None, home: str, expected: str | None) -> None:
    made = console.page(service, region, home)
    assert made == expected
    if made is not None:
        assert is_aws_page(made)


def test_each_service_of_the_table_has_a_page() -> None:
    for service in console.SERVICES:
        assert is_aws_page(console.page(service, "eu-west-1", "eu-west-1") or "")


@pytest.mark.parametrize(
    "service", ["", "/", "..", "a/../b", "s3?x=y", "s3#x", "a b", "//evil.example", "s3\n", "x" * 200]
)
def test_what_can_be_no_service(service: str) -> None:
    with pytest.raises(UsageError, match="no service of the console"):
        console.page(service, "eu-west-1", "eu-west-1")


def test_a_console_whose_address_nobody_publishes() -> None:
    with pytest.raises(ConfigError, match="us-iso-east-1"):
        console.page("s3", None, "us-iso-east-1")


def test_the_values_are_encoded() -> None:
    destination = "https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1#x"
    made = console.link("https://x.awsapps.com/start", "eu-west-1", ACCOUNT, "Adm+in@a,b=c", destination)
    assert is_aws_page(made)
    fragment = urlsplit(made).fragment
    assert parse_qs(fragment.partition("?")[2]) == {
        "account_id": [ACCOUNT],
        "role_name": ["Adm+in@a,b=c"],
        "destination": [destination],
    }
    assert fragment.count("&") == 2


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_no_role_leads_anywhere_else(role: str) -> None:
    made = console.link("https://x.awsapps.com/start", "eu-west-1", ACCOUNT, role)
    assert is_aws_page(made)
    assert urlsplit(made).hostname == "x.awsapps.com"
    assert parse_qs(made.partition("?")[2])["role_name"] == [role]


@pytest.mark.parametrize(
    ("account", "role"),
    [
        ("12345", ROLE),
        ("12345678901x", ROLE),
        ("", ROLE),
        (ACCOUNT, ""),
        (ACCOUNT, "Ad\udcffmin"),  # as undecodable bytes of a config are read
        (ACCOUNT, "Ad\u202emin"),
    ],
)
def test_an_account_or_role_that_is_none(account: str, role: str) -> None:
    with pytest.raises(ConfigError):
        console.link("https://x.awsapps.com/start", "eu-west-1", account, role)


def test_partitions_are_those_of_botocore() -> None:
    known = botocore.loaders.Loader().load_data("partitions")["partitions"]
    seen = set()
    for partition in known:
        for region in partition["regions"]:
            if region.endswith("-global"):
                continue
            found = console.partition_of(region)
            assert console.is_region(region)
            assert found == ("aws-iso" if "-iso" in partition["id"] else partition["id"])
            seen.add(found)
    assert seen == {"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso"}


@pytest.mark.parametrize(
    "text", ["", "EU-WEST-1", "eu_west_1", "eu-west-1/", "evil.com/x?a=b#", "eu-west-1\n", "-", "eu-west-\u0661"]
)
def test_what_is_no_region(text: str) -> None:
    assert not console.is_region(text)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lamda", "lambda"),
        ("dynamo", "dynamodb"),
        ("S3", None),
        ("dynamodbv2", None),
        ("states", None),
        ("qqqq", None),
        ("ec2/hom", None),
    ],
)
def test_what_a_service_may_have_been_meant_to_be(typed: str, meant: str | None) -> None:
    assert console.guess(typed) == meant
