"""Start URLs in what people paste. The identifiers are made up; the forms are AWS's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.aws.browser import check_start_url
from credhelper.aws.start_urls import StartUrl, partition_of, read_start_url
from credhelper.errors import UsageError

D = "https://d-93670bd35a.awsapps.com/start"
INSTANCE = "ssoins-7223aaaabbbbcccc"


@pytest.mark.parametrize(
    "text",
    [
        D,
        f"{D}/",
        f"{D}#",
        f"{D}#/",
        f"{D}/#/",
        f"  {D}/#/?tab=accounts\n",
        f"{D}/#/console?account_id=123456789012&role_name=Admin&destination=https%3A%2F%2Fconsole.aws.amazon.com%2F",
        "https://D-93670BD35A.awsapps.com/start/",
        "https://d-93670bd35a.awsapps.com",
        "https://d-93670bd35a.awsapps.com:443/start/user-consent/authorize.html?clientId=abc",
        "http://d-93670bd35a.awsapps.com/start",
        "//d-93670bd35a.awsapps.com/start",
        "d-93670bd35a.awsapps.com/start/#/",
        "d-93670bd35a.awsapps.com.",
        "d-93670bd35a",
        "D-93670BD35A",
        f"<{D}>.",
        f'"{D}"',
        f"Your access portal is {D}/ and your user name alice.",
    ],
)
def test_all_these_mean_one_portal(text: str) -> None:
    assert read_start_url(text) == StartUrl(D, "d-93670bd35a")


@pytest.mark.parametrize(
    ("text", "url", "name", "region", "partition"),
    [
        ("acme", "https://acme.awsapps.com/start", "acme", None, "aws"),
        (
            f"https://{INSTANCE}.portal.eu-west-1.app.aws/#/?tab=accounts",
            f"https://{INSTANCE}.portal.eu-west-1.app.aws",
            INSTANCE,
            "eu-west-1",
            "aws",
        ),
        (
            f"https://{INSTANCE}.portal.us-east-1.app.aws/start",
            f"https://{INSTANCE}.portal.us-east-1.app.aws",
            INSTANCE,
            "us-east-1",
            "aws",
        ),
        (
            f"{INSTANCE}.ap-southeast-2.portal.amazonaws.com/",
            f"https://{INSTANCE}.ap-southeast-2.portal.amazonaws.com",
            INSTANCE,
            "ap-southeast-2",
            "aws",
        ),
        (
            f"https://identitycenter.amazonaws.com/{INSTANCE}/",
            f"https://identitycenter.amazonaws.com/{INSTANCE}",
            INSTANCE,
            None,
            "aws",
        ),
        (INSTANCE, f"https://identitycenter.amazonaws.com/{INSTANCE}", INSTANCE, None, "aws"),
        # GovCloud
        (
            "http://start.us-gov-home.awsapps.com/directory/d-92671f2def#/console?account_id=123456789012",
            "https://start.us-gov-home.awsapps.com/directory/d-92671f2def",
            "d-92671f2def",
            None,
            "aws-us-gov",
        ),
        (
            "https://start.us-gov-east-1.us-gov-home.awsapps.com/directory/acme-gov%23/",
            "https://start.us-gov-east-1.us-gov-home.awsapps.com/directory/acme-gov",
            "acme-gov",
            "us-gov-east-1",
            "aws-us-gov",
        ),
        (
            f"https://{INSTANCE}.us-gov-west-1.portal.amazonaws.com",
            f"https://{INSTANCE}.us-gov-west-1.portal.amazonaws.com",
            INSTANCE,
            "us-gov-west-1",
            "aws-us-gov",
        ),
        (
            f"https://{INSTANCE}.portal.us-gov-west-1.app.aws",
            f"https://{INSTANCE}.portal.us-gov-west-1.app.aws",
            INSTANCE,
            "us-gov-west-1",
            "aws-us-gov",
        ),
        # China
        (
            "https://start.home.awsapps.cn/directory/d-8267160432#/",
            "https://start.home.awsapps.cn/directory/d-8267160432",
            "d-8267160432",
            None,
            "aws-cn",
        ),
        (
            "https://start.cn-northwest-1.home.awsapps.cn/directory/acme",
            "https://start.cn-northwest-1.home.awsapps.cn/directory/acme",
            "acme",
            "cn-northwest-1",
            "aws-cn",
        ),
        (
            f"https://{INSTANCE}.cn-north-1.portal.amazonaws.com.cn/",
            f"https://{INSTANCE}.cn-north-1.portal.amazonaws.com.cn",
            INSTANCE,
            "cn-north-1",
            "aws-cn",
        ),
        (
            f"https://{INSTANCE}.portal.cn-north-1.app.amazonwebservices.com.cn",
            f"https://{INSTANCE}.portal.cn-north-1.app.amazonwebservices.com.cn",
            INSTANCE,
            "cn-north-1",
            "aws-cn",
        ),
        (
            f"https://identitycenter.amazonaws.com.cn/{INSTANCE}",
            f"https://identitycenter.amazonaws.com.cn/{INSTANCE}",
            INSTANCE,
            None,
            "aws-cn",
        ),
        # The European Sovereign Cloud
        (
            f"https://{INSTANCE}.portal.eusc-de-east-1.api.amazonwebservices.eu",
            f"https://{INSTANCE}.portal.eusc-de-east-1.api.amazonwebservices.eu",
            INSTANCE,
            "eusc-de-east-1",
            "aws-eusc",
        ),
        (
            f"https://{INSTANCE}.eusc-de-east-1.portal.amazonaws.eu",
            f"https://{INSTANCE}.eusc-de-east-1.portal.amazonaws.eu",
            INSTANCE,
            "eusc-de-east-1",
            "aws-eusc",
        ),
    ],
)
def test_the_forms_of_addresses(text: str, url: str, name: str, region: str | None, partition: str) -> None:
    found = read_start_url(text)
    assert found == StartUrl(url, name, region, partition)
    check_start_url(found.start_url, "corp")  # a login can begin there
    assert read_start_url(found.start_url) == found


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "no start URL is given", "It looks like https://d-1234567890.awsapps.com/start"),
        (" \n", "no start URL", "looks like"),
        ("ftp://acme.awsapps.com/start", "no https address", "looks like"),
        ("https://alice:secret@acme.awsapps.com/start", "has no user name in it", "before the @"),
        ("alice@acme.awsapps.com", "has no user name in it", "before the @"),
        ("a b://alice:secret@acme.awsapps.com", "no https address: a b://acme.awsapps.com", "looks like"),
        ("https://alice:secret@[::1", "no https address: https://[::1", "looks like"),
        ("https://[::1", "no https address", "looks like"),
        ("https://acme.awsapps.com:port/start", "no https address", "looks like"),
        ("two words", "no https address: two words", "looks like"),
        ("https://acme.awsapps.com:8443/start", "no access portal", "paste the address that it ends at"),
        ("https://acme.awsapps.com.evil.example/start", "no access portal of AWS's", "in a browser"),
        ("https://evil-awsapps.com/start", "no access portal of AWS's", "in a browser"),
        ("https://aws.acme.example", "aws.acme.example is no access portal", "your company's own address"),
        ("alice@acme.example", "has no user name in it", "before the @"),
        (
            "https://eu-west-1.signin.aws/platform/login?workflow=1",
            "page of AWS's, but not",
            "lists your accounts",
        ),
        ("https://console.aws.amazon.com/console/home", "page of AWS's, but not", "lists your accounts"),
        ("https://portal.sso.eu-west-1.amazonaws.com/", "page of AWS's, but not", "lists your accounts"),
        ("https://device.sso.eu-west-1.amazonaws.com/?user_code=A", "page of AWS's, but not", "lists your"),
        ("https://view.awsapps.com/start", "AWS Builder ID", "your organization's own"),
        ("view", "AWS Builder ID", "your organization's own"),
        ("https://start.home.awsapps.cn/", "lacks the directory", "/directory/d-1234567890"),
        ("https://start.us-gov-home.awsapps.com/directory/", "lacks the directory", "/directory/d-1234567890"),
        ("https://start.us-gov-home.awsapps.com/login/d-123", "lacks the directory", "/directory/"),
        ("https://identitycenter.amazonaws.com/", "lacks the directory", "d-1234567890"),
    ],
)
def test_what_is_no_portal_is_refused_with_a_remedy(text: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_start_url(text)
    assert message in refused.value.message
    assert "secret" not in str(refused.value)
    assert remedy in str(refused.value.remedy)


@pytest.mark.parametrize("text", ["\x1b[2Jevil", "https://\x1b]0;x\x07.example/", "x" * 100_000, "\udce9"])
def test_hostile_texts_cost_a_short_and_harmless_message(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_start_url(text)
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 300


@given(st.text(max_size=80) | st.from_regex(r"https://[a-z.0-9-]{1,30}(\.awsapps\.com|\.app\.aws)[/a-z#?%&=.]{0,20}"))
def test_whatever_is_read_is_a_start_url_of_aws(text: str) -> None:
    try:
        found = read_start_url(text)
    except UsageError:
        return
    check_start_url(found.start_url, found.session_name)
    assert read_start_url(found.start_url) == found


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("eusc-de-east-1", "aws-eusc"),
        (None, "aws"),
    ],
)
def test_partitions_of_regions(region: str | None, partition: str) -> None:
    assert partition_of(region) == partition
