"""Addresses that lead into the AWS console: the access portal's shortcut links and the pages behind them. Pure.

Form of the link: "Creating shortcut links" in AWS's user guide of IAM Identity Center. It grants nothing: the portal
asks for a login where there is none, and opens only what is assigned to the person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from credhelper.errors import ConfigError, UsageError
from credhelper.model import normalize_start_url
from credhelper.names import nearest

# What a region's name begins with, and the console's host of that partition. The first that fits counts.
_PARTITIONS = (
    ("cn-", "aws-cn", "console.amazonaws.cn"),
    ("us-gov-", "aws-us-gov", "console.amazonaws-us-gov.com"),
    ("eusc-", "aws-eusc", "console.amazonaws-eusc.eu"),
    # Their consoles have addresses that AWS does not publish.
    ("us-iso", "aws-iso", None),
    ("eu-iso", "aws-iso", None),
    ("", "aws", "console.aws.amazon.com"),
)
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}")
_PATH = re.compile(r"[a-z0-9][a-z0-9-]*(?:/[A-Za-z0-9_.-]+)*")
_ACCOUNT = re.compile(r"[0-9]{12}")
# The portal's other address, which may stand in the AWS config as well; no page is there.
_ISSUER = re.compile(
    r"https://identitycenter\.(?P<domain>amazonaws\.com|us-gov\.amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu)"
    r"/(?P<instance>ssoins-[0-9a-z]+)",
    re.ASCII,
)
_LONGEST_PATH = 128

# Services whose page is not `/NAME/home`, by the names of the AWS CLI and those that people use: the path. Source:
# where the services' own user guides tell to open the console.
_ELSEWHERE = {
    "apigateway": "apigateway/main/apis",
    "autoscaling": "ec2/home#AutoScalingGroups:",
    "aws-config": "config/home",
    "billing": "costmanagement/home",
    "ce": "costmanagement/home",
    "codeartifact": "codesuite/codeartifact/home",
    "codebuild": "codesuite/codebuild/home",
    "codecommit": "codesuite/codecommit/home",
    "codedeploy": "codesuite/codedeploy/home",
    "codepipeline": "codesuite/codepipeline/home",
    "cognito-idp": "cognito/v2/home",
    "cognito": "cognito/v2/home",
    "configservice": "config/home",
    "cost-explorer": "costmanagement/home",
    "cloudfront": "cloudfront/v4/home",
    "dynamodb": "dynamodbv2/home",
    "ecs": "ecs/v2/home",
    "elb": "ec2/home#LoadBalancers:",
    "elbv2": "ec2/home#LoadBalancers:",
    "es": "aos/home",
    "eventbridge": "events/home",
    "identity-center": "singlesignon/home",
    "inspector": "inspector/v2/home",
    "inspector2": "inspector/v2/home",
    "kafka": "msk/home",
    "logs": "cloudwatch/home#logsV2:log-groups",
    "mq": "amazon-mq/home",
    "opensearch": "aos/home",
    "organizations": "organizations/v2/home",
    "redshift": "redshiftv2/home",
    "route53": "route53/v2/home",
    "security-groups": "ec2/home#SecurityGroups:",
    "service-quotas": "servicequotas/home",
    "sfn": "states/home",
    "sns": "sns/v3/home",
    "sqs": "sqs/v3/home",
    "ssm": "systems-manager/home",
    "sso": "singlesignon/home",
    "sso-admin": "singlesignon/home",
    "stepfunctions": "states/home",
    "step-functions": "states/home",
    "parameter-store": "systems-manager/parameters",
    "vpc": "vpcconsole/home",
    "waf": "wafv2/homev2",
    "wafv2": "wafv2/homev2",
}
# Those of `/NAME/home` that are used most, to know what a mistyped name may have meant.
_AT_HOME = (
    "acm", "acm-pca", "amplify", "appconfig", "apprunner", "appsync", "athena", "backup", "batch", "bedrock",
    "cloud9", "cloudformation", "cloudshell", "cloudtrail", "cloudwatch", "config", "controltower", "datasync",
    "detective", "dms", "docdb", "ec2", "ecr", "efs", "eks", "elasticache", "elasticbeanstalk", "emr", "events",
    "firehose", "fsx", "glue", "guardduty", "iam", "iot", "kinesis", "kms", "lakeformation", "lambda", "macie",
    "memorydb", "msk", "neptune", "ram", "rds", "resource-groups", "s3", "sagemaker", "secretsmanager",
    "securityhub", "servicecatalog", "ses", "states", "support", "systems-manager", "transfer", "trustedadvisor",
    "workspaces", "xray",
)  # fmt: skip
# They belong to no region: their pages are the same from everywhere, and live in one of them.
_GLOBAL = {
    "billing", "ce", "cloudfront", "cost-explorer", "iam", "organizations", "route53", "support", "trustedadvisor",
}  # fmt: skip

SERVICES: Mapping[str, str] = dict(sorted({**{name: f"{name}/home" for name in _AT_HOME}, **_ELSEWHERE}.items()))


def partition_of(region: str) -> str:
    """`aws`, `aws-cn`, `aws-us-gov`, `aws-eusc` or `aws-iso` (all the secret ones), by the region's name."""
    return next(partition for prefix, partition, _ in _PARTITIONS if region.startswith(prefix))


def is_region(text: str) -> bool:
    """Whether `text` has the form of a region's name."""
    return _REGION.fullmatch(text) is not None


def guess(service: str) -> str | None:
    """The known service that `service`, which is none of them and no path, may have been meant to be."""
    name = service.lower()
    if "/" in name or name in SERVICES or any(path.startswith(f"{name}/") for path in SERVICES.values()):
        return None
    near = nearest(name, SERVICES)
    return near[0] if near else None


def page(service: str | None, region: str | None, home_region: str) -> str | None:
    """The console's page for a service in a region; None where neither says anything.

    Args:
        service: one of `SERVICES`, or any other's path in the console: `NAME` stands for `NAME/home`.
        region: where to look at it.
        home_region: of the Identity Center, whose partition's console it is.

    Raises UsageError for what cannot be a service, ConfigError where the partition's console has no known address.
    """
    if service is None and region is None:
        return None
    path = _path(service)
    home = partition_of(home_region)
    host = next(host for _, partition, host in _PARTITIONS if partition == home)
    if host is None:
        raise ConfigError(
            f"the console's address in the partition of {home_region} is not known",
            "Leave --service and --region out",
        )
    if service is not None and service.lower() in _GLOBAL:
        region = None
    if region is None and home == "aws-eusc":
        region = home_region  # its console has no address without one
    path, mark, fragment = path.partition("#")
    if region is None:
        return f"https://{host}/{path}{mark}{fragment}"
    return f"https://{region}.{host}/{path}?region={region}{mark}{fragment}"


def _path(service: str | None) -> str:
    if service is None:
        return "console/home"
    known = SERVICES.get(service.lower())
    if known is not None:
        return known
    path = service.strip("/")
    if not _PATH.fullmatch(path) or ".." in path or len(path) > _LONGEST_PATH:
        raise UsageError(
            f"{service[:40]!r} can be no service of the console",
            "Give its name as in the console's address: s3, ec2, lambda, systems-manager …",
        )
    return path if "/" in path else f"{path}/home"


def portal(start_url: str, region: str) -> str:
    """The address that all of a portal's links begin with.

    Args:
        start_url: as it stands in the AWS config: a portal's address of any form, or the issuer URL.
        region: of the Identity Center.
    """
    plain = normalize_start_url(start_url)
    issuer = _ISSUER.fullmatch(plain)
    if issuer is None:
        return urlsplit(plain)._replace(query="").geturl().rstrip("/")
    if issuer["domain"] in {"amazonaws.com.cn", "amazonaws.eu"}:
        return f"https://{issuer['instance']}.{region}.portal.{issuer['domain']}"
    return f"https://{issuer['instance']}.portal.{region}.app.aws"


def link(start_url: str, region: str, account_id: str, role_name: str, destination: str | None = None) -> str:
    """The portal's shortcut link for an account and a role.

    Args:
        start_url: as for `portal`, like `region`.
        account_id: twelve digits.
        role_name: the permission set's name.
        destination: the console's page; None leaves it to the permission set (its relay state), else to the console.

    Raises ConfigError where the account or the role can be none.
    """
    if not _ACCOUNT.fullmatch(account_id):
        raise ConfigError(f"{account_id[:40]!r} is no account id of 12 digits", "Correct sso_account_id")
    if not role_name or not role_name.isprintable():
        raise ConfigError(f"{role_name[:40]!r} is no role's name", "Correct sso_role_name")
    values = {"account_id": account_id, "role_name": role_name}
    if destination is not None:
        values["destination"] = destination
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    return f"{portal(start_url, region)}/#/console?{query}"
