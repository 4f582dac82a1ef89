"""Whether AWS can be reached from here, by the way that the daemon goes; what its answers say of clock and login."""

from __future__ import annotations

import contextlib
import shlex
import ssl
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from credhelper import settings
from credhelper.doctor.asking import Question, ask
from credhelper.doctor.environment import host, unset
from credhelper.doctor.installation import listed
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene, exists
from credhelper.endpoints import check_proxy, is_loopback
from credhelper.errors import ConfigError, UpstreamError
from credhelper.model import Network
from credhelper.surroundings import is_wsl
from credhelper.terminal import duration

# AWS refuses what is signed five minutes off; less than half a minute is no trouble at all.
_SKEW_REFUSED, _SKEW_TOLD = 300.0, 30.0
_PROXY_TROUBLE = ("the proxy refused", "the proxy asks for a name and a password")
_NETWORK_VARIABLES = (
    *("HTTPS_PROXY", "https_proxy", "http_proxy", "NO_PROXY", "no_proxy"),
    *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
)
_UNTRUSTED = "the TLS certificate is not trusted"


def network(scene: Scene) -> Iterator[Remark]:
    """Ask each endpoint in use, side by side, and explain what comes of it."""
    ours = _shells(scene)
    differing = [] if ours is None else _differing(scene, ours)
    questions, others = ask(scene, ours if differing else None)
    if not questions:
        return
    failed = [question for question in questions if question.code]
    if ours is not None and differing:
        yield _two_ways(scene, differing, daemons=not failed, shells=not any(other.code for other in others))
    yield from _unreached(scene, failed, everything=len(failed) == len(questions))
    answered = [question for question in questions if not question.code]
    if answered and not failed:
        hosts = list(dict.fromkeys(question.host for question in answered))
        yield Well(f"{listed(hosts)} {'answers' if len(hosts) == 1 else 'answer'}{_way(scene, answered[0])}")
    yield from _clock(answered)
    for question in answered:
        yield from _login(scene, question)


def configured(scene: Scene) -> Iterator[Remark]:
    """Whether proxy and CA bundles that are named can be used at all."""
    try:
        settings.network_of(scene.environ)
    except ConfigError as error:
        yield Finding("proxy-invalid", error.message, "Nobody can use it", Mend(words=error.remedy))
    for path, where in _bundles(scene):
        problem = _bundle_problem(path)
        if problem is not None:
            yield Finding(
                "ca-bundle",
                f"the CA bundle {scene.shown(path)} {problem}",
                f"{where} names it, and no connection to AWS is made without it",
                Mend(words=f"Correct {where}"),
            )


def _shells(scene: Scene) -> Network | None:
    """The way to the network that this environment names; None where nobody can go it."""
    with contextlib.suppress(ConfigError):
        return settings.network_of(scene.environ)[0]
    return None


def _differing(scene: Scene, ours: Network) -> list[str]:
    """In what the shell's way differs from that which was recorded; what the settings say is meant to."""
    recorded, used = settings.recorded_network(scene.paths), scene.settings.network
    found = []
    if dict(ours.proxies or {}) != dict(recorded.proxies or {}) and used.proxies == recorded.proxies:
        found.append(f"proxy ({_proxy(ours.proxies)} here, {_proxy(recorded.proxies)} there)")
    if ours.ca_bundle != recorded.ca_bundle and used.ca_bundle == recorded.ca_bundle:
        found.append(f"CA bundle ({ours.ca_bundle or 'none'} here, {recorded.ca_bundle or 'none'} there)")
    if ours.no_proxy != recorded.no_proxy and used.no_proxy == recorded.no_proxy and ours.proxies:
        found.append("hosts without a proxy")
    return found


def _two_ways(scene: Scene, differing: Sequence[str], *, daemons: bool, shells: bool) -> Finding:
    """What is to be said of a daemon and a shell that go different ways: which of them lead to AWS decides."""
    text = f"the daemon goes another way to the network than this shell: {', '.join(differing)}"
    recorded = "It inherits nothing; its way was recorded by the last `login` or `daemon start` from a shell"
    if shells and not daemons:
        return Finding(
            "network-recorded",
            text,
            f"AWS answers by this shell's way alone. {recorded}",
            Mend("credhelper daemon start", verb=("daemon", "start")),
        )
    if daemons and not shells:
        named = [name for name in _NETWORK_VARIABLES if scene.environ.get(name)]
        return Finding(
            "network-shell",
            f"this shell's way to the network does not lead to AWS: {', '.join(differing)}",
            "The daemon's does. Programs of this shell that ask AWS themselves, and a login from it, fail",
            Mend(unset(scene, named), "Correct the variables, or do without")
            if named
            else Mend(words="Set proxy and CA bundle as in the shell from which you logged in"),
        )
    return Finding(
        "network-recorded",
        text,
        f"{'Both lead' if daemons else 'Neither leads'} to AWS. {recorded}",
        Mend("credhelper daemon start", "To let the daemon go this shell's way")
        if daemons
        else Mend(words="Correct the variables of this shell, then run `credhelper daemon start`"),
        "hint",
    )


def _unreached(scene: Scene, failed: Sequence[Question], *, everything: bool) -> Iterator[Remark]:
    """One finding for each kind of trouble, however many hosts have it."""
    kinds: dict[str, list[Question]] = {}
    for question in failed:
        kinds.setdefault(_kind(question), []).append(question)
    for kind, questions in kinds.items():
        hosts = listed(list(dict.fromkeys(question.host for question in questions)))
        details = "; ".join(dict.fromkeys(question.detail for question in questions if question.detail))
        way = _way(scene, questions[0])
        if kind == "certificate":
            yield Finding(
                "tls-untrusted",
                f"the certificate of {hosts} is not trusted{way}",
                "A company's proxy looks into TLS with a certificate of its own, or somebody else answers, or a "
                f"clock is far off. The clock here says {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}",
                Mend(
                    "env AWS_CA_BUNDLE=/path/to/company.pem credhelper daemon start",
                    f"Name your company's CA bundle so, or as ca_bundle under [network] in "
                    f"{scene.shown(scene.paths.settings)}",
                ),
            )
        elif kind == "proxy":
            asks = any("password" in question.detail for question in questions)
            yield Finding(
                "proxy",
                f"the proxy {_proxy(scene.settings.network.proxies)} "
                + ("asks for a name and a password" if asks else f"does not lead to {hosts}"),
                "It was recorded from your environment, or stands in the settings",
                Mend(
                    "env HTTPS_PROXY=http://HOST:PORT credhelper daemon start",
                    "Without one run `env -u HTTPS_PROXY -u https_proxy credhelper daemon start`; with another one",
                ),
            )
        elif kind == "portal":
            yield Finding(
                "captive-portal",
                f"a web page answers in place of {hosts}",
                "This network wants a sign-in of its own first",
                Mend(words="Open any web page and sign in to the network"),
            )
        elif kind == "garbage":
            yield Finding(
                "garbage",
                f"{hosts} answers nonsense ({details})",
                "Something other than AWS answers there, a proxy for instance",
                Mend(words="Check endpoints and proxy"),
            )
        elif kind == "endpoint":
            yield Finding(
                "endpoint-unsafe",
                f"the endpoint {hosts} is neither https nor on this machine",
                "A token must not travel there, so it is not asked",
                Mend(words="Correct the endpoint in the settings, and log in again"),
            )
        else:
            yield Finding(
                "offline" if everything else "unreachable",
                f"AWS cannot be reached{way}" if everything else f"{hosts} cannot be reached{way}",
                (f"{hosts}: {details}" if everything else f"{details[:1].upper()}{details[1:]}; other hosts answer")
                + ". What is in the daemon's memory is served meanwhile",
                Mend(_try_command(questions[0]), "Check the network, the VPN, the firewall; then try"),
            )


def _try_command(question: Question) -> str:
    url = question.endpoints.oidc if question.service == "sso-oidc" else question.endpoints.portal
    scheme = "http" if url and url.startswith("http:") else "https"
    return f"curl -sS -o /dev/null {shlex.quote(f'{scheme}://{question.host}')}"


def _kind(question: Question) -> str:
    if question.code == UpstreamError.PORTAL:
        return "portal"
    if question.code == UpstreamError.GARBAGE:
        return "garbage"
    if question.code == "Endpoint":
        return "endpoint"
    if question.detail == _UNTRUSTED:
        return "certificate"
    return "proxy" if question.detail in _PROXY_TROUBLE else "offline"


def _clock(answered: Sequence[Question]) -> Iterator[Remark]:
    skew = max((question.skew for question in answered), key=abs, default=0.0)
    if abs(skew) < _SKEW_TOLD:
        if answered:
            yield Well("the clock agrees with AWS's")
        return
    off = f"this machine's clock is {duration(abs(skew))} {'slow' if skew > 0 else 'fast'}"
    refused = abs(skew) >= _SKEW_REFUSED
    if is_wsl():
        command = "sudo hwclock --hctosys"
    elif sys.platform == "darwin":
        command = "sudo sntp -sS time.apple.com"
    else:
        command = "sudo timedatectl set-ntp true"
    yield Finding(
        "clock",
        off,
        "AWS refuses requests that are signed five minutes off"
        if refused
        else "From five minutes on AWS refuses what is signed by it",
        Mend(command, "Let the system keep it (that of a container or a virtual machine is its host's)"),
        "problem" if refused else "hint",
    )


def _login(scene: Scene, question: Question) -> Iterator[Remark]:
    """What the portal says of a token that should live; what it refuses is told with the session."""
    error = question.error
    if question.token is None or not isinstance(error, UpstreamError):
        return
    if error.code in {"ForbiddenException", "AccessDeniedException"}:
        scene.refused[question.session.id] = "its scopes"
    elif error.code == "UnauthorizedException" or error.status == 401:
        scene.refused[question.session.id] = "the token"
    else:
        yield Finding(
            "aws-trouble",
            f"{question.host} answers {error.code}",
            "That is AWS's own trouble, and mostly passes",
            Mend(words="Try again in a minute"),
            "hint",
        )


def _way(scene: Scene, question: Question) -> str:
    url = question.endpoints.oidc if question.service == "sso-oidc" else question.endpoints.portal
    if url and is_loopback(url):
        return ""
    proxies = scene.settings.network.proxies
    return f" through the proxy {_proxy(proxies)}" if proxies else ""


def _proxy(proxies: object) -> str:
    """Host and port of a proxy, without the password that its address may hold."""
    if not isinstance(proxies, dict) or not proxies:
        return "none"
    url = str(proxies.get("https") or next(iter(proxies.values())))
    try:
        check_proxy(url, "it")
    except ConfigError:
        return "that is none"
    return host(url)


def _bundles(scene: Scene) -> Iterator[tuple[Path, str]]:
    """CA bundles that are named, each with who names it."""
    used = scene.settings.network.ca_bundle
    if used:
        yield Path(used), "ca_bundle of the daemon's network"
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        value = scene.environ.get(name)
        if value and value != used:
            yield Path(value), name
    for profile, values in scene.config.profiles.items():
        value = values.get("ca_bundle")
        if value and value != used:
            yield Path(value).expanduser(), f"ca_bundle of [{profile}]"


def _bundle_problem(path: Path) -> str | None:
    if not exists(path):
        return "is not there"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if path.is_dir():
            return None
        if not path.is_file():  # a pipe would be read for ever
            return "is no regular file"
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError):
        return "holds no certificate that can be read"
    return None


CHECKS: tuple[Check, ...] = (configured, network)
