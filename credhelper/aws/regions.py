"""The regions that an Identity Center may live in, the likeliest for this person first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

# Hours east of Greenwich, in winter, of the places where the regions are. One that is not here comes last.
_HOURS = {
    "us-east": -5,
    "us-west": -8,
    "us-gov-east": -5,
    "us-gov-west": -8,
    "ca-central": -5,
    "ca-west": -7,
    "mx-central": -6,
    "sa-east": -3,
    "eu-west-1": 0,
    "eu-west-2": 0,
    "eu-west": 1,
    "eu-central": 1,
    "eu-north": 1,
    "eu-south": 1,
    "eusc-de-east": 1,
    "af-south": 2,
    "il-central": 2,
    "me-south": 3,
    "me-central": 4,
    "ap-south": 5.5,
    "ap-southeast-2": 10,
    "ap-southeast-4": 10,
    "ap-southeast-6": 12,
    "ap-southeast-1": 8,
    "ap-southeast-5": 8,
    "ap-southeast": 7,
    "ap-east": 8,
    "ap-northeast": 9,
    "cn-north": 8,
    "cn-northwest": 8,
}
# Of those that are as near: the large ones, where most organizations began.
_FIRST = ("us-east-1", "eu-west-1", "eu-central-1", "us-west-2", "us-east-2", "ap-southeast-2", "ap-northeast-1")
_NEAR = 1.5


@dataclass(frozen=True, slots=True)
class Region:
    """A region's name (`eu-west-1`) and where it is (`Europe (Ireland)`), empty where botocore does not say."""

    name: str
    place: str


def regions(partition: str, environ: Mapping[str, str], east: float | None = None) -> list[Region]:
    """The regions of this partition with an Identity Center: that of the environment first, then the nearest.

    Args:
        east: hours east of Greenwich, in winter; this machine's own by default.
    """
    from botocore.loaders import Loader  # noqa: PLC0415 - 0.1 s
    from botocore.session import Session  # noqa: PLC0415

    here = -time.timezone / 3600 if east is None else east
    # Only what lies inside botocore: by default it also looks into ~/.aws/models.
    loader = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session = Session()
    session.register_component("data_loader", loader)
    names = session.get_available_regions("sso-oidc", partition_name=partition)
    places = _places(loader.load_data("partitions"))
    wanted = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    ordered = sorted(names, key=lambda name: (name != wanted, *_rank(name, here)))
    return [Region(name, places.get(name, "")) for name in ordered]


def every_region() -> frozenset[str]:
    """The names of all regions of all partitions that botocore knows. A new one may be missing."""
    from botocore.loaders import Loader  # noqa: PLC0415 - 0.1 s

    loader = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return frozenset(name for name in _places(loader.load_data("partitions")) if not name.endswith("-global"))


def _places(document: Mapping[str, object]) -> dict[str, str]:
    found = {}
    partitions = document.get("partitions")
    for partition in partitions if isinstance(partitions, list) else []:
        for name, values in partition.get("regions", {}).items():
            found[str(name)] = str(values.get("description", ""))
    return found


def _rank(name: str, here: float) -> tuple[float, int, str]:
    base = name.rpartition("-")[0]
    hours = _HOURS.get(name, _HOURS.get(base))
    if hours is None:
        return (99.0, 0, name)
    apart = abs(hours - here) % 24
    distance = min(apart, 24 - apart)
    order = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return (distance if distance > _NEAR else 0.0, order, name)
