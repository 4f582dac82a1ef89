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


@given(ARRIVALS)
def test_nobody_waits_while_there_is_room(arrivals: list[tuple[float, Priority]]) -> None:
    limiter: Limiter[int] = Limiter(len(arrivals))
    for number, (_, priority) in enumerate(arrivals):
        limiter.enqueue(number, priority)
    admitted, again_at = limiter.admit(0.0)
    assert sorted(admitted) == list(range(len(arrivals)))
    assert again_at is None
