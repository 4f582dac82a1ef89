"""The region that an access portal's page names, and all that may stand in its place."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from credhelper.aws.portal_page import region_of_portal
from credhelper.aws.start_urls import StartUrl, read_start_url
from credhelper.errors import CredhelperError
from credhelper.model import Network
from credhelper.standin import Fault, StandIn
from tests.support import MakeStandIn

START = read_start_url("d-93670bd35a")


def asked(standin: StandIn, start: StartUrl = START, timeout: float = 5.0) -> str:
    return region_of_portal(start, Network(), portal=standin.url, timeout=timeout)


@pytest.mark.parametrize(
    "address",
    [
        "d-93670bd35a",
        "https://start.us-gov-home.awsapps.com/directory/acme",
        "https://identitycenter.amazonaws.com/ssoins-1234",
    ],
)
def test_the_page_names_its_region(make_standin: MakeStandIn, address: str) -> None:
    standin = make_standin(portal_region="ap-southeast-2")
    assert asked(standin, read_start_url(address)) == "ap-southeast-2"
    assert [call.caller for call in standin.calls("PortalPage")] == ["credhelper"]


@pytest.mark.parametrize("named", [None, "", "India", "eu-west-1 or so", '"><meta name="region" content="x'])
def test_a_page_that_names_none(make_standin: MakeStandIn, named: str | None) -> None:
    with pytest.raises(CredhelperError, match="does not say it"):
        asked(make_standin(portal_region=named))


@pytest.mark.parametrize(
    ("page", "region"),
    [
        ('<meta name="region" content="eu-west-1">', "eu-west-1"),
        ("<META CONTENT='US-EAST-1' NAME='REGION'>", "us-east-1"),
        ('<meta name="region"><meta name="region" content=" us-gov-west-1 "/>', "us-gov-west-1"),
        ('<meta name="region" content="eu-west-1"/><meta name="region" content="eu-west-2"/>', "eu-west-1"),
        ('<meta name="region" content="eu-west-1"/><![nothing[ known ]]>', "eu-west-1"),
        ('<!-- <meta name="region" content="eu-west-2"/> --><meta name="region" content="eu-west-1"/>', "eu-west-1"),
    ],
)
def test_how_it_may_be_written(standin: StandIn, page: str, region: str) -> None:
    standin.fault("PortalPage", Fault.wrong(f"<!doctype html><html><head>{page}</head><body></body></html>"))
    assert asked(standin) == region


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.captive_page(), "does not say it"),
        (Fault.garbage(), "does not say it"),
        (Fault.wrong(""), "does not say it"),
        (Fault.wrong('<![nothing[ known ]]><meta name="region" content="eu-west-1"/>'), "does not say it"),
        (Fault.empty(status=503), "answered 503"),
        (Fault.drop(), r"cannot be reached \(the connection was closed\)"),
        (Fault.reset(), "cannot be reached"),
        (Fault.captive_redirect("http://hotel.example/"), "not AWS's"),
        (Fault.captive_redirect("https://d-93670bd35a.awsapps.com/start"), "not AWS's"),
        (Fault.captive_redirect("file:///etc/passwd"), "not AWS's"),
        (Fault.captive_redirect("http://["), "cannot be reached"),
        (Fault.captive_redirect("/start"), "from page to page"),
        (Fault.captive_redirect(""), "answered 302"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_may_stand_in_its_place(standin: StandIn, fault: Fault, reason: str) -> None:
    standin.fault("PortalPage", fault)
    with pytest.raises(CredhelperError, match=reason):
        asked(standin)


@pytest.mark.parametrize(
    "fault", [Fault.silence(), Fault.drip(), Fault.drip(head=True)], ids=["silent", "drip", "head"]
)
def test_it_is_not_waited_for_without_an_end(standin: StandIn, fault: Fault) -> None:
    standin.fault("PortalPage", fault)
    with pytest.raises(CredhelperError, match="cannot be reached"):
        asked(standin, timeout=0.3)


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        with pytest.raises(CredhelperError, match="cannot be reached"):
            region_of_portal(START, Network(), portal=f"http://127.0.0.1:{taken.getsockname()[1]}")


def test_no_network() -> None:
    """No name can be resolved, as where a machine has no network at all."""
    with pytest.raises(CredhelperError, match="cannot be reached"):
        region_of_portal(START, Network({"https": "http://nosuch.invalid:1"}))


def test_a_page_without_an_end_is_read_to_a_bound(standin: StandIn) -> None:
    standin.fault("PortalPage", Fault.endless())
    with pytest.raises(CredhelperError, match="does not say it"):
        asked(standin)


def test_half_a_page_is_enough_where_its_head_says_it(standin: StandIn) -> None:
    standin.fault("PortalPage", Fault.torn())
    assert asked(standin) == "eu-west-1"


def test_a_redirect_within_the_portal_is_followed(standin: StandIn) -> None:
    standin.fault("PortalPage", Fault.captive_redirect("/start/"), times=2)
    assert asked(standin) == "eu-west-1"


class Proxy:
    """A proxy on loopback that notes what it is asked for, and refuses."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096).split(b"\r\n")[0])
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def test_the_persons_proxy_is_the_way_to_aws(proxy: Proxy) -> None:
    address = f"http://127.0.0.1:{proxy.port}"
    network = Network(proxies={"https": address, "http": address})
    with pytest.raises(CredhelperError, match="cannot be reached"):
        region_of_portal(START, network)
    assert [line.rpartition(b" ")[0] for line in proxy.asked] == [b"CONNECT d-93670bd35a.awsapps.com:443"]


def test_no_proxy_stands_before_this_machine(standin: StandIn, proxy: Proxy) -> None:
    address = f"http://127.0.0.1:{proxy.port}"
    network = Network(proxies={"https": address, "http": address})
    assert region_of_portal(START, network, portal=standin.url) == "eu-west-1"
    assert proxy.asked == []


def test_only_pages_of_aws_are_asked_for(proxy: Proxy) -> None:
    address = f"http://127.0.0.1:{proxy.port}"
    network = Network(proxies={"https": address, "http": address})
    for url in ("https://portal.example/start", "http://acme.awsapps.com/start", "http://127.0.0.1:1/start"):
        with pytest.raises(CredhelperError, match="not AWS's"):
            region_of_portal(StartUrl(url, "x"), network, portal="https://portal.example")
    assert proxy.asked == []
