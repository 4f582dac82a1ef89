"""The list of regions, and its order."""

from __future__ import annotations

import pytest

from credhelper.aws.regions import regions


def names(partition: str = "aws", east: float = 0, **environ: str) -> list[str]:
    return [region.name for region in regions(partition, environ, east)]


@pytest.mark.parametrize(
    ("east", "first"),
    [
        (0, "eu-west-1"),
        (1, "eu-west-1"),
        (2, "eu-central-1"),
        (-5, "us-east-1"),
        (-8, "us-west-2"),
        (10, "ap-southeast-2"),
    ],
)
def test_the_nearest_come_first(east: float, first: str) -> None:
    assert names(east=east)[0] == first


def test_those_of_rome_before_those_of_tokyo() -> None:
    order = names(east=1)
    assert order.index("eu-south-1") < order.index("us-east-1") < order.index("ap-northeast-1")
    assert len(order) == len(set(order)) > 25


def test_the_environments_own_comes_first() -> None:
    assert names(east=0, AWS_REGION="ap-south-1")[:2] == ["ap-south-1", "eu-west-1"]
    assert names(east=0, AWS_DEFAULT_REGION="sa-east-1")[0] == "sa-east-1"
    assert names(east=0, AWS_REGION="nowhere-1")[0] == "eu-west-1"


def test_partitions() -> None:
    assert set(names("aws-us-gov")) == {"us-gov-east-1", "us-gov-west-1"}
    assert set(names("aws-cn")) == {"cn-north-1", "cn-northwest-1"}


def test_places_are_told() -> None:
    places = {region.name: region.place for region in regions("aws", {}, 0)}
    assert places["eu-west-1"] == "Europe (Ireland)"
    assert all(places.values())


def test_this_machines_own_time_zone_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.timezone", 8 * 3600)
    assert regions("aws", {})[0].name == "us-west-2"
