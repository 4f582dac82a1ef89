from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from credhelper.core.limiter import CALLS_PER_SECOND, Limiter, Priority


def test_idle() -> None:
    limiter: Limiter[str] = Limiter()
    assert limiter.admit(0.0) == ([], None)


def test_room_for_aws_own_limit() -> None:
    assert CALLS_PER_SECOND < 20


def test_a_burst_waits_for_the_next_second() -> None:
    limiter: Limiter[int] = Limiter(3)
    for number in range(5):
        limiter.enqueue(number, Priority.CALLER)
    assert limiter.admit(10.0) == ([0, 1, 2], 11.0)
    assert limiter.admit(10.9) == ([], 11.0)
    assert limiter.admit(11.0) == ([3, 4], None)


def test_who_waits_for_the_answer_goes_first() -> None:
    limiter: Limiter[str] = Limiter(1)
    for ticket, priority in (
        ("background 1", Priority.BACKGROUND),
        ("caller 1", Priority.CALLER),
        ("background 2", Priority.BACKGROUND),
        ("token", Priority.TOKEN),
        ("caller 2", Priority.CALLER),
    ):
        limiter.enqueue(ticket, priority)
    order = [limiter.admit(float(second))[0] for second in range(6)]
    assert order == [["token"], ["caller 1"], ["caller 2"], ["background 1"], ["background 2"], []]


ARRIVALS = st.lists(st.tuples(st.floats(0, 3), st.sampled_from(Priority)), min_size=1, max_size=60)


@given(ARRIVALS, st.integers(1, 7))
def test_never_more_than_so_many_in_any_second(arrivals: list[tuple[float, Priority]], calls: int) -> None:
    """As the daemon drives it: `admit` after each arrival and whenever it said to look again."""
    limiter: Limiter[int] = Limiter(calls)
    queue = sorted((moment, number, priority) for number, (moment, priority) in enumerate(arrivals))
    started: list[tuple[float, int]] = []
    again_at: float | None = None
    while queue or again_at is not None:
        if queue and (again_at is None or queue[0][0] <= again_at):
            now, number, priority = queue.pop(0)
            limiter.enqueue(number, priority)
        else:
            assert again_at is not None
            now = again_at
        admitted, looked = limiter.admit(now)
        assert looked is None or looked > now  # else the daemon would spin
        started += [(now, number) for number in admitted]
        again_at = looked
    assert sorted(number for _, number in started) == list(range(len(arrivals)))
    moments = [moment for moment, _ in started]
    assert all(sum(start <= other < start + 1 for other in moments) <= calls for start in moments)


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from([p for p in Priority if p < Priority.WALK])), min_size=1))
def test_nobody_waits_while_there_is_room(arrivals: list[tuple[float, Priority]]) -> None:
    limiter: Limiter[int] = Limiter(len(arrivals))
    for number, (_, priority) in enumerate(arrivals):
        limiter.enqueue(number, priority)
    admitted, again_at = limiter.admit(0.0)
    assert sorted(admitted) == list(range(len(arrivals)))
    assert again_at is None


# --- under way at once ----------------------------------------------------------------------------------------------


def test_so_many_at_once_and_the_next_when_one_has_ended() -> None:
    limiter: Limiter[str] = Limiter(100, at_once=2)
    for ticket in ("a", "b", "c"):
        limiter.enqueue(ticket, Priority.CALLER)
    assert limiter.admit(0.0) == (["a", "b"], None)
    assert limiter.admit(9.0) == ([], None)
    limiter.done("a")
    assert limiter.admit(9.0) == (["c"], None)


def test_renewals_need_no_room_and_take_none() -> None:
    limiter: Limiter[str] = Limiter(100, at_once=1)
    for ticket, priority in (
        ("caller", Priority.CALLER),
        ("caller 2", Priority.CALLER),
        ("token", Priority.TOKEN),
        ("token 2", Priority.TOKEN),
    ):
        limiter.enqueue(ticket, priority)
    assert limiter.admit(0.0) == (["token", "token 2", "caller"], None)
    limiter.done("token")
    assert limiter.admit(0.0) == ([], None)


def test_a_caller_is_next_however_many_wait_in_the_background() -> None:
    limiter: Limiter[int] = Limiter(2, at_once=1)
    for number in range(300):
        limiter.enqueue(number, Priority.BACKGROUND)
    assert limiter.admit(0.0) == ([0], None)
    limiter.enqueue(-1, Priority.CALLER)
    limiter.hurry(299, Priority.CALLER)
    limiter.done(0)
    assert limiter.admit(0.1) == ([299], None)
    limiter.done(299)
    assert limiter.admit(0.2) == ([], 1.0)
    assert limiter.admit(1.0) == ([-1], None)


def test_hurry_never_lowers_and_knows_only_who_waits() -> None:
    limiter: Limiter[str] = Limiter(1)
    limiter.enqueue("a", Priority.CALLER)
    limiter.enqueue("b", Priority.CALLER)
    limiter.hurry("a", Priority.BACKGROUND)
    limiter.hurry("nobody", Priority.TOKEN)
    assert limiter.admit(0.0) == (["a"], 1.0)
    limiter.hurry("a", Priority.TOKEN)
    assert limiter.admit(1.0) == (["b"], None)


def test_who_withdraws_spends_nothing() -> None:
    limiter: Limiter[str] = Limiter(1, at_once=1)
    for ticket in ("a", "b"):
        limiter.enqueue(ticket, Priority.CALLER)
    limiter.withdraw("a")
    limiter.withdraw("nobody")
    assert limiter.admit(0.0) == (["b"], None)


# --- a walk through all accounts ------------------------------------------------------------------------------------


def walk_alone(limiter: Limiter[int], seconds: float, late: float = 0.0) -> list[float]:
    """When the calls of a walk start that always has more; the timer comes `late` each time."""
    number, now, started = 0, 0.0, []
    while now < seconds:
        while len(limiter._waiting) < 12:
            limiter.enqueue(number, Priority.WALK)
            number += 1
        admitted, again_at = limiter.admit(now)
        for ticket in admitted:
            limiter.done(ticket)
        started += [now] * len(admitted)
        assert again_at is not None
        now = again_at + late
    return started


@given(st.floats(0, 0.005))
def test_a_walk_has_nine_tenths_of_the_limit(late: float) -> None:
    started = walk_alone(Limiter(), 20.0, late)
    assert len(started) >= 0.9 * 20 * CALLS_PER_SECOND


def test_a_walk_never_has_the_last_call_of_a_second() -> None:
    started = walk_alone(Limiter(), 10.0)
    assert max(sum(at <= other < at + 1 for other in started) for at in started) < CALLS_PER_SECOND


@given(st.floats(1.0, 5.0))
def test_a_caller_who_comes_during_a_walk_goes_at_once_and_the_next_ones_soon(at: float) -> None:
    limiter: Limiter[int] = Limiter()
    walk_alone(limiter, at)
    callers = [-1, -2, -3, -4]
    for ticket in callers:
        limiter.enqueue(ticket, Priority.CALLER)
    now, went = at, list[float]()
    while len(went) < len(callers):
        admitted, again_at = limiter.admit(now)
        assert set(admitted) <= set(callers)
        went += [now - at for _ in admitted]
        assert again_at is not None or len(went) == len(callers)
        now = again_at or now
    assert went[0] == 0
    assert went[-1] < 0.3


def test_a_walk_leaves_half_of_the_places() -> None:
    limiter: Limiter[int] = Limiter(100, at_once=4)
    for number in range(9):
        limiter.enqueue(number, Priority.WALK)
    assert [limiter.admit(float(second))[0] for second in range(4)] == [[0], [1], [], []]
    limiter.enqueue(-1, Priority.BACKGROUND)
    limiter.enqueue(-2, Priority.CALLER)
    assert limiter.admit(5.0)[0] == [-2, -1]
    assert limiter.admit(6.0)[0] == []
    limiter.done(-1)
    assert limiter.admit(6.5)[0] == []  # the place is for others
    limiter.done(0)
    assert limiter.admit(7.0)[0] == [2]


def test_a_walk_goes_behind_the_background() -> None:
    limiter: Limiter[str] = Limiter(2)
    limiter.enqueue("walk", Priority.WALK)
    limiter.enqueue("background", Priority.BACKGROUND)
    assert limiter.admit(0.0) == (["background"], 1.0)
    assert limiter.admit(1.0) == (["walk"], None)
