"""A boto3 program such as anybody might write: it takes PROFILE and COUNT and prints an account id for each call."""

from __future__ import annotations

import sys

import boto3


def main() -> None:
    profile, count = sys.argv[1], int(sys.argv[2])
    for _ in range(count):
        client = boto3.Session(profile_name=profile).client("sts")
        print(client.get_caller_identity()["Account"], flush=True)


if __name__ == "__main__":
    main()
