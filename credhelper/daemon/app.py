"""The daemon: wires everything, and its one loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from credhelper import __version__
from credhelper.aws.centers import Centers
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.aws.world import World
from credhelper.core import report
from credhelper.core.clock import Clock
from credhelper.core.trouble import Trouble
from credhelper.daemon.board import BoardKeeper
from credhelper.daemon.broker import Broker
from credhelper.daemon.calls import Calls
from credhelper.daemon.keeper import Keeper, Tools
from credhelper.daemon.leases import Leases
from credhelper.daemon.notifier import Notifier
from credhelper.daemon.presence import Presence
from credhelper.daemon.server import Fields, MoreTime, Reply, Server
from credhelper.daemon.walks import Walks
from credhelper.daemon.watcher import Watcher
from credhelper.errors import ConfigError
from credhelper.model import RoleKey, Session
from credhelper.paths import Paths
from credhelper.settings import Settings, load

_LOG = logging.getLogger(__name__)

# A laptop that wakes, or a file system that sends no events, is noticed within this time.
SWEEP = 30.0
# A config or token file is often written in several steps; they are read as one change.
_SETTLE = 0.05
# How long the end waits for renewals under way: to connect (5 s), to read the answer (10 s), and to write it. None is
# sent once the end has begun. What remains: a name that resolves slowly, or several addresses that are tried in turn,
# may make one that had begun take longer.
_RENEWALS_END_WITHIN = 16.0


class App:
    """One daemon. Made and run within an event loop.

    Args:
        paths: of the home folder that it serves.
        environ: its own, allowlisted environment.
        clock: injected by tests.
        world: what a caller's own environment adds to the config files that are known.
        stays: it goes on after an answer.
    """

    def __init__(
        self,
        paths: Paths,
        environ: Mapping[str, str],
        clock: Clock | None = None,
        world: World | None = None,
        *,
        stays: bool = True,
    ) -> None:
        self._paths = paths
        self._clock = clock or Clock()
        self._settings = Settings()
        self._settings_problem: str | None = None
        self._troubles: defaultdict[str, Trouble] = defaultdict(Trouble)
        self._world = world or World(paths)
        self._leases = Leases()
        records = LoginRecords(paths.state / "logins")
        self._centers = Centers(records, lambda: self._settings, self._clock)
        self._tools = Tools(
            cache=TokenCache(paths.token_cache, paths.locks),
            records=records,
            centers=self._centers,
            calls=Calls(),
            clock=self._clock,
            settings=lambda: self._settings,
            on_logout=self._logged_out,
            stays=stays,
        )
        self._keepers: dict[str, Keeper] = {}
        self._broker = Broker(self._keeper_for, self._tools, self._leases)
        self._walks = Walks(paths, self._tools, self._keeper_of)
        self._board = BoardKeeper(paths, self._tools, self._world)
        self._notifier = Notifier()
        self._watcher: Watcher | None = None
        self._wake = asyncio.Event()
        self._dirty = False
        self._stopping = False
        self._swept_at = self._clock.now()
        self._sweeping = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        verbs = {
            b"ping": self._ping,
            b"credentials": self._credentials,
            b"status": self._status,
            b"forget": self._forget,
            b"reload": self._reload,
            b"stop": self._stop,
        }
        self._server = Server(verbs, self._leases, os.fspath(paths.home), {b"accounts": self._walks.answer})
        self._presence = Presence(paths, environ, self._tools.calls, self._server)

    async def start(self) -> bool:
        """Take the lock, read the world, listen. False where another daemon has the lock. Raises CredhelperError."""
        if not self._presence.acquire():
            return False
        loop = asyncio.get_running_loop()
        try:
            try:
                self._watcher = Watcher(lambda: _from_thread(loop, self._disk_changed))
            except (OSError, RuntimeError) as error:
                _LOG.warning("nothing can be watched (%s); it is looked at every 30 s", error)
            await self._tools.calls.aside(self._tools.cache.remove_leftovers)
            await self._watch()
            await self._read_again()
            await self._watch()
            self._heed_signals(loop)  # before anybody can know of this daemon, and end it
            await self._presence.listen()
            await self._watch()
        except BaseException:
            await self.close()
            raise
        _LOG.info("credhelper %s listens at %s (pid %d)", __version__, self._presence.address, os.getpid())
        return True

    def _heed_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for number, action in (
            (signal.SIGTERM, self._stop_soon),
            (signal.SIGINT, self._stop_soon),
            (signal.SIGHUP, self._disk_changed),
            (signal.SIGUSR1, self._drop_secrets),
        ):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread
                loop.add_signal_handler(number, action)

    async def run(self) -> None:
        """Keep everything alive until `stop` or a signal."""
        try:
            while not self._stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._act()):
                        await self._wake.wait()
                self._wake.clear()
                if self._dirty and not self._stopping:
                    # A change of a file makes several events; wait until they are through, then look once.
                    await asyncio.sleep(_SETTLE)
                if self._dirty or self._clock.now() - self._swept_at >= SWEEP or self._clock.now() < self._swept_at:
                    self._dirty = False
                    try:
                        await self._sweep()
                        self._troubles["sweep"].over()
                    except Exception as error:  # noqa: BLE001 - what lies on the disk must not end the daemon
                        if self._troubles["sweep"].news(repr(error)):
                            _LOG.exception("a look at the disk failed in an unforeseen way; it is tried again")
        finally:
            await self.close()

    async def answer_once(self, fields: Fields) -> Reply:
        """Answer one `credentials` request without listening."""
        await self._read_again()
        return await self._broker.answer(fields, lambda _: None)

    async def close(self) -> None:
        """Leave nothing behind, and lose no renewal that is under way."""
        self._tools.stopping = True
        loop = asyncio.get_running_loop()
        until = loop.time() + _RENEWALS_END_WITHIN
        await self._walks.close()
        await self._server.close()
        if self._tools.renewals:
            _LOG.info("waiting for the renewals under way before it stops")
            _, pending = await asyncio.wait(self._tools.renewals, timeout=max(until - loop.time(), 0.0))
            if pending:
                _LOG.error("AWS has not answered a renewal in time; stopping without it")
        await asyncio.gather(*(keeper.save_at_last() for keeper in self._keepers.values()))
        if self._watcher is not None:
            await self._tools.calls.aside(self._watcher.close)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._tools.calls.close()
        self._centers.close()
        self._presence.close()
        _LOG.info("stopped")

    # The loop

    def _act(self) -> float:
        """Start what is due; nothing here waits. The seconds until more is due, at most until the next sweep."""
        now, well = self._clock.now(), True
        moments = [self._swept_at + SWEEP]
        due: list[Callable[[], float | None]] = [self._see_to_credentials]
        due += [functools.partial(self._see_to, keeper) for keeper in self._keepers.values()]
        due.append(self._see_to_board)
        for see_to in due:
            try:
                at = see_to()
            except Exception as error:  # noqa: BLE001 - one session's surprise must harm no other, nor end the daemon
                well, at = False, None
                if self._troubles["due"].news(repr(error)):
                    _LOG.exception("what is due could not be seen to, in an unforeseen way; it is tried again")
            if at is not None:
                moments.append(at)
        if well:
            self._troubles["due"].over()
        return min(max(min(moments) - now, 0.02), SWEEP)

    def _see_to(self, keeper: Keeper) -> float | None:
        """Start what is due for one session; when there will be more, if that is known."""
        if keeper.renewal_due() and not keeper.renewing:
            keeper.renew().add_done_callback(lambda _: self._wake.set())
        notice = keeper.due_notice()
        if notice is not None:
            self._notifier.warn(keeper.session, notice, self._clock.now())
        return None if keeper.renewing else keeper.assess().next_action_at

    def _see_to_credentials(self) -> float | None:
        """Renew the role credentials whose turn it is; whose turn is next."""
        server_now, vault = self._clock.server_now(), self._broker.vault
        vault.purge(server_now)
        for key in vault.due(server_now):
            keeper = self._keepers.get(key.session)
            if keeper is None or keeper.found is None or keeper.assess().login_needed:
                vault.postpone(key, server_now + SWEEP)
            else:
                # The fetch itself will say when the next one is due; until then it is under way.
                vault.postpone(key, server_now + 1.0)
                self._aside(self._broker.refresh(keeper, key))
        due = vault.next_due(server_now)
        return None if due is None else due - self._clock.skew

    def _see_to_board(self) -> None:
        """Let the shells know what has changed."""
        if self._board.is_due(self._keepers):
            self._aside(self._board.keep_up(self._keepers))

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside the loop, and look again when it is done. It raises nothing."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(lambda _: self._wake.set())

    async def _sweep(self) -> None:
        """Look at the clock, the settings, the config files, the token cache and our own socket."""
        async with self._sweeping:
            self._swept_at = self._clock.now()
            if not await self._presence.hold_the_lock():
                self._stop_soon()
            # Watched before they are read: what changes after the reading makes an event.
            await self._watch()
            await self._read_again()
            await self._watch()
            if not self._stopping:
                await self._presence.keep_up()
                await self._board.keep_up(self._keepers, look=True)

    async def _read_again(self) -> None:
        await self._load_settings()
        try:
            await self._tools.calls.aside(self._world.refresh)
            self._troubles["world"].over()
        except Exception as error:  # noqa: BLE001 - what lies on the disk must not end the daemon
            if self._troubles["world"].news(repr(error)):
                _LOG.exception("the AWS config cannot be read in an unforeseen way; what it said before still counts")
        sessions = {session.id: session for session in self._world.sessions()}
        for gone in set(self._keepers) - set(sessions) - set(self._walks.sessions):
            self._broker.forget(self._keepers[gone].session)
            # The config may be whole again in a moment; a renewed token is given but once.
            if not self._keepers[gone].indispensable:
                del self._keepers[gone]
        for identity, session in sessions.items():
            keeper = self._keepers.get(identity)
            if keeper is None:
                self._keepers[identity] = Keeper(session, self._tools)
            else:
                keeper.session = session
        await asyncio.gather(*(keeper.look() for keeper in self._keepers.values() if keeper.worth_a_look()))

    async def _load_settings(self) -> None:
        try:
            self._settings = await self._tools.calls.aside(lambda: load(self._paths))
            self._settings_problem = None
            if self._troubles["settings"].over():
                _LOG.info("the settings can be read again, and are in force")
        except ConfigError as error:
            if self._troubles["settings"].news(error.message):
                _LOG.error("%s; the settings read before stay in force", error.message)
            self._settings_problem = error.message

    async def _watch(self) -> None:
        watcher = self._watcher
        if watcher is not None:
            own = [self._paths.settings, *self._presence.watched()]
            files = [*own, self._paths.aws / "credentials", *self._world.files]
            names = [self._paths.aws, self._paths.state]
            await self._tools.calls.aside(lambda: watcher.watch([self._paths.token_cache], files, names))

    def _disk_changed(self) -> None:
        self._dirty = True
        self._wake.set()

    def _stop_soon(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _keeper_for(self, name: str, config: str | None, folder: str | None) -> Keeper | None:
        session = None
        with contextlib.suppress(ConfigError):
            session = self._world.session_named(name, config, folder)
        if session is None:
            await self._tools.calls.aside(self._world.refresh)
            session = self._world.session_named(name, config, folder)
        if session is None:
            return None
        return self._keeper_of(session)

    def _keeper_of(self, session: Session) -> Keeper:
        return self._keepers.setdefault(session.id, Keeper(session, self._tools))

    def _logged_out(self, session: Session) -> None:
        self._broker.forget(session)
        self._aside(self._walks.logged_out(session))

    def _drop_secrets(self) -> None:
        """SIGUSR1: forget everything that is secret; what is asked for again is fetched again."""
        count = self._broker.forget(None)
        _LOG.info("forgot %d role credentials on request", count)
        self._aside(self._forget_tokens())

    async def _forget_tokens(self) -> None:
        await asyncio.gather(*(keeper.forget() for keeper in list(self._keepers.values())))
        self._disk_changed()

    # The verbs

    async def _ping(self, _fields: Fields, _more: MoreTime) -> Reply:
        counters = {
            "hand_outs": self._broker.hand_outs,
            "fetches": self._broker.fetches,
            "renewals": sum(keeper.renewals for keeper in self._keepers.values()),
            "credentials": len(self._broker.vault),
        }
        return 0, json.dumps({**self._self(), "counters": counters}).encode()

    async def _credentials(self, fields: Fields, more_time: MoreTime) -> Reply:
        before = self._broker.fetches
        reply = await self._broker.answer(fields, more_time)
        if self._broker.fetches != before:
            self._wake.set()
        if reply[0]:
            self._see_to_board()  # AWS may have refused the token, so that only a login helps
        return reply

    async def _status(self, _fields: Fields, _more: MoreTime) -> Reply:
        await self._read_again()
        self._see_to_board()
        profiles = self._world.profiles()
        expiries = {
            profile.name: self._broker.expiry(
                RoleKey(profile.session.id, profile.account_id or "", profile.role_name or "")
            )
            for profile in profiles
            if profile.session is not None
        }
        keepers = (self._keepers.get(session.id) for session in self._world.sessions())
        reports = [keeper.report() for keeper in keepers if keeper is not None]
        return 0, json.dumps(report.document(self._self(), reports, profiles, expiries)).encode()

    async def _forget(self, fields: Fields, _more: MoreTime) -> Reply:
        key = fields.get(b"key", b"").decode("utf-8", "surrogateescape")
        count = 0
        for keeper in list(self._keepers.values()):
            if key in {"", keeper.session.cache_key}:
                count += self._broker.forget(keeper.session)
                await keeper.forget()
                await keeper.look()
                if keeper.found is None:
                    await self._walks.logged_out(keeper.session)
        await self._board.keep_up(self._keepers)
        self._wake.set()
        return 0, json.dumps({"forgotten": count}).encode()

    async def _reload(self, _fields: Fields, _more: MoreTime) -> Reply:
        await self._sweep()
        self._wake.set()
        if self._settings_problem:
            raise ConfigError(self._settings_problem, "Correct it; until then the settings read before stay in force")
        return 0, b""

    async def _stop(self, _fields: Fields, _more: MoreTime) -> Reply:
        asyncio.get_running_loop().call_later(0.05, self._stop_soon)
        return 0, b""

    def _self(self) -> dict[str, Any]:
        return {"running": True, "pid": os.getpid(), "version": __version__, "socket": self._presence.address}


def _from_thread(loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
    """Run `action` on the loop; a loop that has ended needs no telling."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(action)
