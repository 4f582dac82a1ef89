"""The region of an Identity Center, from the page of its access portal, which names it for its own scripts.

The page is public: nothing but its address is sent, and no cookie kept. It is asked for on hosts that AWS owns alone,
by way of the person's proxy and CA bundle, or on this machine where their portal endpoint is there.
"""

from __future__ import annotations

import contextlib
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from credhelper import __version__
from credhelper.aws.botocore_clients import proxies_for
from credhelper.aws.browser import is_aws_page
from credhelper.aws.identity_center import why_offline
from credhelper.aws.start_urls import REGION, StartUrl
from credhelper.endpoints import is_loopback, network_for
from credhelper.errors import CredhelperError
from credhelper.model import Network

# The real page has some tens of kilobytes, and says it at the top.
_MAX_PAGE = 512 * 1024
_MAX_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}


def region_of_portal(start: StartUrl, network: Network, *, portal: str | None = None, timeout: float = 5.0) -> str:
    """The region that the portal's page names.

    Args:
        portal: the person's own portal endpoint; one on this machine has the page too.
        timeout: seconds to wait for a connection, and again for each answer.

    Raises CredhelperError, which says why it is not known: to be told on the way to asking the person.
    """
    url, local = start.start_url, portal is not None and is_loopback(portal)
    if portal is not None and local:
        url = portal.rstrip("/") + (urlsplit(url).path or "/")
    for _ in range(_MAX_REDIRECTS + 1):
        if not (is_loopback(url) if local else is_aws_page(url)):
            raise CredhelperError("the access portal leads to a page that is not AWS's")
        status, location, page = _get(url, network_for(network, url), timeout)
        if status in _REDIRECTS and location:
            try:
                url = urljoin(url, location)
            except ValueError as error:
                raise CredhelperError("the access portal leads to no address") from error
            continue
        if status != 200:
            raise CredhelperError(f"the access portal answered {status}")
        reader = _Regions()
        with contextlib.suppress(AssertionError):  # the parser's word for a declaration that it does not know
            reader.feed(page)
        if reader.region is None:
            raise CredhelperError("the access portal's page does not say it")
        return reader.region
    raise CredhelperError("the access portal leads from page to page")


def _get(url: str, network: Network, timeout: float) -> tuple[int, str | None, str]:
    """Status, redirect's target and the beginning of the page. Raises CredhelperError."""
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - 0.1 s
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    from credhelper.aws import deadlines  # noqa: PLC0415

    proxies = proxies_for(url, network)
    session = URLLib3Session(
        verify=network.ca_bundle or True,  # type: ignore[arg-type] # narrower in the stubs than it is
        proxies=None if proxies is None else dict(proxies),
        timeout=(timeout, timeout),  # type: ignore[arg-type]
    )
    deadlines.impose(session)
    headers = {"User-Agent": f"credhelper/{__version__}", "Accept": "text/html", "Accept-Encoding": "identity"}
    request: Any = AWSRequest("GET", url, headers=headers, stream_output=True)
    with contextlib.closing(session):
        try:
            answer = session.send(request.prepare())
            page = _beginning(answer.raw)
        except (BotoCoreError, HTTPError, OSError, ValueError) as error:
            reason = why_offline(type(error).__name__)
            raise CredhelperError(f"the access portal cannot be reached ({reason})") from error
    return answer.status_code, answer.headers.get("location"), page.decode("utf-8", "replace")


def _beginning(raw: Any) -> bytes:
    page = bytearray()
    for part in raw.stream(16 * 1024):
        page += part
        if len(page) >= _MAX_PAGE:
            break
    raw.close()
    return bytes(page[:_MAX_PAGE])


class _Regions(HTMLParser):
    """Finds `<meta name="region" content="eu-west-1"/>`; the first one that names a region counts."""

    def __init__(self) -> None:
        super().__init__()
        self.region: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        content = values.get("content", "").strip().lower()
        named = tag == "meta" and values.get("name", "").lower() == "region"
        if self.region is None and named and REGION.fullmatch(content):
            self.region = content
