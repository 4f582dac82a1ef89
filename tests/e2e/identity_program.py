"""A boto3 program such as anybody might write. It prints an account id for each call.

identity_program.py PROFILE COUNT   so many calls, each with a session of its own; a failure ends it
identity_program.py PROFILE         one client for as long as it runs: a call for each line on stdin; failures are
                                    printed
identity_program.py --version
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def _client(profile: str) -> Any:
    return boto3.Session(profile_name=profile).client("sts")


def _each_anew(profile: str, count: int) -> None:
    for _ in range(count):
        print(_client(profile).get_caller_identity()["Account"], flush=True)


def _all_by_one(profile: str) -> None:
    client = _client(profile)
    for _ in sys.stdin:
        try:
            print(client.get_caller_identity()["Account"], flush=True)
        except (BotoCoreError, ClientError) as error:
            print(json.dumps(str(error)), flush=True)


def main() -> None:
    match sys.argv[1:]:
        case ["--version"]:
            print(boto3.__version__)
        case [profile, count]:
            _each_anew(profile, int(count))
        case [profile]:
            _all_by_one(profile)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
