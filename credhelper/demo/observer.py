"""Watches the world from outside and writes down on the board what happens in it."""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

from credhelper.dates import moment_of
from credhelper.demo.board import Board, Lane
from credhelper.demo.world import World
from credhelper.errors import CredhelperError

_LOOK_EVERY = 0.25
_REFRESH = "refresh_token"
# What the helper's last word is where only a login helps (exit code 3), as the SDK passes it on.
_LOGIN_NEEDED = "Run: credhelper login"
# Credentials that end between being handed out and being used: the session's last moment, not another failure.
_JUST_ENDED = ("ExpiredToken", "still expired")


class Observer:
    """Reads the programs' lines, the daemon's status, counters and log, and the stand-in's record of calls."""

    def __init__(self, world: World, board: Board) -> None:
        self._world = world
        self._board = board
        self._lines: queue.SimpleQueue[tuple[str, dict[str, Any] | None]] = queue.SimpleQueue()
        self._log = _Tail(world.paths.log)
        self._looked_at = 0.0
        self._watching = False
        self._stopping = False
        self._logging_in: set[str] = set()

    def watch(self) -> None:
        """From now on a daemon that does not answer is a problem."""
        self._watching = True

    def start_programs(self) -> None:
        """Start the program of each profile."""
        for lane in self._board.lanes.values():
            lane.running = True
            self._world.program(lane.profile, self.take)

    def take(self, profile: str, line: dict[str, Any] | None) -> None:
        """Take a line of a profile's program, or None for its end. May be called by any thread."""
        self._lines.put((profile, line))

    def stop_programs(self) -> None:
        """End the programs; calls that this cuts off do not count."""
        self._drain()
        self._stopping = True
        self._world.stop_programs()
        for lane in self._board.lanes.values():
            lane.running = False

    def login_begins(self, lane: Lane) -> None:
        """A new token that turns up now is the login's, not a renewal."""
        self._logging_in.add(lane.session)

    def login_ended(self, lane: Lane) -> None:
        """Take note of the login's token, and that failures are over with it."""
        self.look(now=True)
        self._logging_in.discard(lane.session)
        self._board.logins += 1
        lane.mended_at = time.time()
        lane.after_login = 0

    def look(self, *, now: bool = False) -> None:
        """Take in what is new; what costs something is looked at a few times a second only."""
        self._drain()
        if not now and time.monotonic() - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = time.monotonic()
        self._count()
        if not self._watching:
            return
        try:
            self._take_status(self._world.agent.status())
            self._board.answers = self._world.ping()["counters"]["hand_outs"]
        except CredhelperError as error:
            self._board.problem(f"the daemon did not answer: {error.message}")
        lines = self._log.warnings()
        for lane in self._board.lanes.values():
            # Of several at once (why, then what to run) the last one says what to do.
            about = [line for line in lines if f"session {lane.session}" in line]
            if about and lane.session not in self._logging_in:  # the person is at it already
                self._board.say(f"the daemon warns: {about[-1]}", "warn")

    # The programs

    def _drain(self) -> None:
        while not self._lines.empty():
            profile, line = self._lines.get()
            if self._stopping:
                continue
            lane = self._board.lanes[profile]
            if line is None:
                lane.running = False
                self._board.problem(f"the program of {profile} has ended by itself")
            else:
                self._take_call(lane, line)

    def _take_call(self, lane: Lane, line: dict[str, Any]) -> None:
        at = float(line["at"])
        if lane.last_call is not None:
            lane.longest_gap = max(lane.longest_gap, at - lane.last_call)
        lane.last_call = at
        if line["n"] != lane.calls + 1:
            self._board.problem(f"a call of {lane.profile} was lost")
        lane.history.append(line["ok"])
        if line["ok"]:
            if not lane.arn:
                self._board.say(f"{lane.profile}: AWS knows the program as {short(line['arn'])}", "good")
            elif lane.error is not None:
                self._board.say(f"{lane.profile}: calls succeed again, the program was not restarted", "good")
            lane.ok, lane.arn, lane.error = lane.ok + 1, line["arn"], None
            lane.after_login += lane.mended_at is None or at >= lane.mended_at
            return
        lane.error = f"{line['error']}: {line['message']}"
        if self._may_fail(lane, at, lane.error):
            lane.expected += 1
            self._note_message(lane, lane.error)
        else:
            lane.unexpected += 1
            self._board.problem(f"{lane.profile}: a call failed that should not have: {lane.error}")

    def _note_message(self, lane: Lane, error: str) -> None:
        if _LOGIN_NEEDED in error and not lane.told:
            lane.told = True
            _, _, message = error.partition("credhelper: ")
            self._board.say(f"{lane.profile}: a call fails and says why: {message}", "warn")

    @staticmethod
    def _may_fail(lane: Lane, at: float, error: str) -> bool:
        """Whether a call that began `at` had to fail: after the session's end, before the login that mends it."""
        # A second's grace: the status document has whole seconds.
        if lane.ended_at is None or at < lane.ended_at - 1.0:
            return False
        if lane.mended_at is not None and lane.ended_at < lane.mended_at < at:
            return False
        return _LOGIN_NEEDED in error or any(mark in error for mark in _JUST_ENDED)

    # The stand-in

    def _count(self) -> None:
        calls = self._world.standin.calls()
        upstream = {"GetRoleCredentials": 0, "CreateToken": 0, "GetCallerIdentity": 0}
        for call in calls:
            if call.operation in upstream:
                upstream[call.operation] += 1
            if call.operation == "CreateToken" and call.caller != "credhelper":
                self._board.problem(f"a token was asked for by {call.caller}, not by credhelper")
        self._board.upstream = upstream
        self._board.renewals = sum(
            call.operation == "CreateToken" and call.detail == _REFRESH and call.status == 200 for call in calls
        )

    # The daemon

    def _take_status(self, document: dict[str, Any]) -> None:
        sessions = {session["name"]: session for session in document["sessions"]}
        profiles = {profile["name"]: profile for profile in document["profiles"]}
        for lane in self._board.lanes.values():
            profile = profiles.get(lane.profile)
            session = sessions.get(lane.session)
            if profile is not None:
                lane.credentials_expire_at = moment(profile["expires_at"])
            if session is None:
                continue
            before, lane.expires_at = lane.expires_at, moment(session["expires_at"])
            if lane.expires_at is not None:
                lane.longest_life = max(lane.longest_life, lane.expires_at - time.time())
            renewed = before is not None and lane.expires_at is not None and lane.expires_at > before + 1
            if renewed and lane.session not in self._logging_in:
                lane.renewals += 1
                self._board.say(f"token of {lane.session} renewed, the program noticed nothing", "good")
            lane.state = session["state"]
            lane.reason = session["reason"]


class _Tail:
    """New warnings in a log that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def warnings(self) -> list[str]:
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = []
        for line in lines:
            _, mark, text = line.decode("utf-8", "replace").partition(" WARNING ")
            if mark:
                found.append(text)
        return found


def moment(date: str | None) -> float | None:
    """A date of the status document in seconds since the epoch."""
    return None if date is None else moment_of(date)


def short(arn: str) -> str:
    """Account and role of `arn:aws:sts::ACCOUNT:assumed-role/AWSReservedSSO_ROLE_HASH/USER`."""
    account, _, rest = arn.removeprefix("arn:aws:sts::").partition(":")
    role = rest.split("/")[1] if rest.count("/") >= 1 else rest
    return f"{account} {role.removeprefix('AWSReservedSSO_').rpartition('_')[0] or role}"
