"""The story that the demo tells, in six steps, and what must be true at its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from credhelper.demo.board import Board, Lane, View
from credhelper.demo.observer import Observer
from credhelper.demo.pages import PAGES
from credhelper.demo.world import FORGOTTEN, PROFILES, SESSION, World
from credhelper.errors import CredhelperError

_TICK = 0.1


class Story:
    """One showing.

    Args:
        world: started.
        view: entered.
    """

    def __init__(self, world: World, view: View) -> None:
        self.board = Board({name: Lane(name, session) for name, session in PROFILES.items()})
        self._world = world
        self._view = view
        self._schedule = world.schedule
        self._observer = Observer(world, self.board)
        self._began = time.monotonic()

    def tell(self) -> Board:
        """Play it to the end, or to the first thing that must not happen.

        Raises CredhelperError where a command of credhelper's fails.
        """
        for step in (self._set_up, self._enable, self._log_in, self._work, self._end, self._mend):
            step()
        self._observer.stop_programs()
        self._observer.look(now=True)
        self._check()
        return self.board

    # The steps

    def _set_up(self) -> None:
        self._page(1)
        self.board.config = [(line, False) for line in self._world.config().splitlines()]
        self._wait(self._schedule.read)

    def _enable(self) -> None:
        self._page(2)
        before = self._world.config()
        self._command("enable", "--all", "--yes")
        self.board.config = _news(before, self._world.config(), "[profile client-prod]")
        self.board.say("enabled both profiles; `credhelper disable` gives the file back byte for byte", "good")
        self._wait(self._schedule.read)

    def _log_in(self) -> None:
        self._page(3)
        for lane in self.board.lanes.values():
            self._login(lane)
        self.board.config = ()

    def _work(self) -> None:
        self._page(4)
        self._observer.start_programs()
        started = time.monotonic()
        lanes = self.board.lanes.values()
        self._until(
            lambda: (
                time.monotonic() - started >= self._schedule.quiet
                and all(lane.ok and lane.renewals >= self._schedule.renewals for lane in lanes)
            ),
            self._schedule.quiet + self._schedule.renewals * self._schedule.token_lifetime,
            f"each session to be renewed {self._schedule.renewals} times",
        )

    def _end(self) -> None:
        self._page(5)
        self._world.standin.end_sessions()
        self.board.say("AWS will refuse the next renewals: the cap is reached")
        heeded, forgotten = self._lane(SESSION), self._lane(FORGOTTEN)
        lifetime = self._schedule.token_lifetime
        self._until(lambda: heeded.state == "expiring", lifetime, f"the warning for {SESSION}")
        heeded.ended_at = heeded.expires_at
        self._login(heeded)
        if heeded.mended_at is not None and heeded.ended_at is not None and heeded.mended_at < heeded.ended_at:
            heeded.ended_at = None  # as a rule; a busy machine may take longer over a login than the token lives
        self._until(lambda: forgotten.state in {"expiring", "expired"}, lifetime, f"the warning for {FORGOTTEN}")
        forgotten.ended_at = forgotten.expires_at
        self._until(lambda: forgotten.state == "expired", lifetime, f"the end of {FORGOTTEN}")
        self.board.say(f"{FORGOTTEN} is over; credentials in memory still serve for some seconds", "warn")
        self._until(
            lambda: forgotten.expected >= self._schedule.failing,
            self._schedule.role_lifetime + self._schedule.failing * self._schedule.interval,
            "calls to fail",
        )

    def _mend(self) -> None:
        self._page(6)
        self._login(self._lane(FORGOTTEN))
        lanes = self.board.lanes.values()
        self._until(
            lambda: all(lane.after_login >= self._schedule.mended for lane in lanes),
            self._schedule.mended * self._schedule.interval,
            "the calls to succeed again",
        )

    # The means

    def _page(self, step: int) -> None:
        page = PAGES[step - 1]
        self.board.step, self.board.title = step, page.title
        self.board.text = page.text.format(lifetime=f"{self._schedule.token_lifetime:g}")
        self._tick()

    def _lane(self, session: str) -> Lane:
        return next(lane for lane in self.board.lanes.values() if lane.session == session)

    def _login(self, lane: Lane) -> None:
        self._observer.login_begins(lane)
        self.board.say(f"you run: credhelper login {lane.session}")
        # A program may have its answer before we see that the command has ended: no effect before its cause.
        self.board.hold()
        self._command("login", lane.session)
        self._observer.watch()
        self._observer.login_ended(lane)
        self.board.release(f"logged in to {lane.session}")
        self._tick()  # shown before the next page

    def _command(self, *words: str) -> None:
        """Run a command of credhelper's while the view goes on. Raises CredhelperError where it fails."""
        command = self._world.begin(*words)
        self._until(command.ended, 60.0, f"`credhelper {' '.join(words)}`")
        code, output = command.result()
        if code:
            said = output.strip() or f"exit code {code}"
            raise CredhelperError(
                f"`credhelper {' '.join(words)}` failed in the demo: {said}",
                "Run `credhelper demo --keep` and look into the folder that it leaves",
            )

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._tick()

    def _until(self, done: Callable[[], bool], usual: float, what: str) -> None:
        """Let time pass until something has happened.

        Args:
            usual: seconds that it takes where all is well; some patience is added.

        Raises CredhelperError where it does not happen, or something else must not have happened meanwhile.
        """
        deadline = time.monotonic() + usual + self._schedule.patience
        while not done():
            self._tick()
            if self.board.problems:
                raise StoryBroken
            if time.monotonic() > deadline:
                self.board.problem(f"waited in vain for {what}")
                raise StoryBroken

    def _tick(self) -> None:
        self.board.elapsed = time.monotonic() - self._began
        self._observer.look()
        self._view.show(self.board)
        time.sleep(_TICK)

    # The end

    def _check(self) -> None:
        """Note whatever was not as credhelper promises."""
        board, schedule = self.board, self._schedule
        for lane in board.lanes.values():
            if lane.longest_gap > schedule.longest_gap:
                board.problem(f"{lane.profile} made no call for {lane.longest_gap:.1f} s")
        forgotten = self._lane(FORGOTTEN)
        if not forgotten.told:
            board.problem(f"no call of {forgotten.profile} said that a login is needed")
        if board.renewals < sum(lane.renewals for lane in board.lanes.values()):
            board.problem("AWS counted fewer renewals than were seen")
        # One fetch in a third of the lifetime for each role at the very most, and one more at each login.
        most = len(board.lanes) * (board.elapsed / (schedule.role_lifetime / 3) + 2)
        if board.upstream.get("GetRoleCredentials", 0) > most:
            board.problem(f"AWS was asked for role credentials {board.upstream['GetRoleCredentials']} times")


class StoryBroken(Exception):
    """Something happened that must not; the board says what."""


def _news(before: str, after: str, header: str) -> list[tuple[str, bool]]:
    """The lines of `after` from `header` on, each with whether its section did not have it before."""
    old = {section: set(lines) for section, lines in _sections(before)}
    lines = [
        (line, bool(line) and line not in old.get(section, ()))
        for section, inside in _sections(after)
        for line in inside
    ]
    return lines[lines.index((header, False)) :]


def _sections(config: str) -> list[tuple[str, list[str]]]:
    """Header and lines, the header's own among them, of each section."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in config.splitlines():
        if line.startswith("["):
            found.append((line, []))
        found[-1][1].append(line)
    return found
