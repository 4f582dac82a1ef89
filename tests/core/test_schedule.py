from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.core.schedule import (
    MAX_BACKOFF,
    RENEW_AHEAD,
    Assessment,
    Notice,
    View,
    assess,
    backoff,
    due_warning,
    margin,
    recent,
    renew_at,
    still_due,
)

NOW = 1_800_000_000.0
MINUTE = 60.0
LIFETIMES = st.floats(1, 90 * 86400)
JITTER = st.floats(0, 1)

# --- when to renew --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lifetime", "expected"), [(3600, 1200), (8 * 3600, 1200), (1800, 600), (60, 20), (3, 1), (90 * 86400, 1200)]
)
def test_margin(lifetime: float, expected: float) -> None:
    assert margin(lifetime) == expected


@given(LIFETIMES, JITTER)
def test_jitter_only_brings_the_renewal_forward(lifetime: float, jitter: float) -> None:
    plain = renew_at(NOW, lifetime)
    assert plain == NOW - min(RENEW_AHEAD, lifetime / 3)
    assert plain - 0.1 * margin(lifetime) - 1e-3 <= renew_at(NOW, lifetime, jitter) <= plain


@given(LIFETIMES, JITTER)
def test_a_fresh_token_is_not_due_at_once(lifetime: float, jitter: float) -> None:
    assert renew_at(NOW + lifetime, lifetime, jitter) > NOW + lifetime / 2


def test_backoff_doubles_to_a_minute() -> None:
    assert [backoff(attempt, left=0) for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(10**6, left=10**6) == MAX_BACKOFF


@given(st.integers(1, 10**9), st.floats(-(10**6), 10**6), JITTER)
def test_backoff_bounds(attempts: int, left: float, jitter: float) -> None:
    pause = backoff(attempts, left, jitter)
    assert 0.25 * (2 / 3) <= pause <= MAX_BACKOFF
    if left > 1.5:
        assert pause <= left / 6 + 1e-9


@given(st.floats(30, 1200), JITTER)
def test_several_tries_fit_into_what_is_left(left: float, jitter: float) -> None:
    now, tries = 0.0, 0
    while now < left:
        tries += 1
        now += backoff(tries, left - now, jitter)
    assert tries >= 5


# --- the state of a session -----------------------------------------------------------------------------------------

TOKEN = View(expires_at=NOW + 3600, refreshable=True, renew_at=NOW + 2400)
FIXED = View(expires_at=NOW + 3600)


def judged(view: View, **changes: object) -> Assessment:
    fields = {name: getattr(view, name) for name in View.__slots__}
    return assess(View(**{**fields, **changes}), NOW)


@pytest.mark.parametrize(
    ("assessment", "expected"),
    [
        (judged(View()), Assessment("logged_out", "not logged in")),
        (judged(View(problem="it is torn")), Assessment("logged_out", "it is torn")),
        (judged(TOKEN), Assessment("active", "renews itself", "renew", NOW + 2400)),
        (judged(TOKEN, remark="but"), Assessment("active", "renews itself; but", "renew", NOW + 2400)),
        (
            judged(TOKEN, failure="AWS is slow", retry_at=NOW + 4),
            Assessment("active", "renewal is tried again: AWS is slow", "renew", NOW + 4),
        ),
        (
            judged(TOKEN, refused="AWS has ended the session"),
            Assessment("expiring", "AWS has ended the session", "warn", NOW + 3600 - 15 * MINUTE),
        ),
        (judged(FIXED), Assessment("active", "this login cannot be renewed", "warn", NOW + 3600 - 15 * MINUTE)),
        (
            judged(FIXED, expires_at=NOW + 15 * MINUTE),
            Assessment("expiring", "this login cannot be renewed", "warn", NOW + 10 * MINUTE),
        ),
        (
            judged(FIXED, expires_at=NOW + 5 * MINUTE),
            Assessment("expiring", "this login cannot be renewed", "warn", NOW + 5 * MINUTE),
        ),
        (judged(FIXED, expires_at=NOW), Assessment("expired", "the session has run out")),
        (judged(FIXED, rejected=True), Assessment("expired", "the session has run out")),
        (judged(TOKEN, expires_at=NOW), Assessment("renewing", "is being renewed", "renew", NOW)),
        (judged(TOKEN, rejected=True), Assessment("renewing", "is being renewed", "renew", NOW)),
        (
            judged(TOKEN, expires_at=NOW, failure="AWS has an internal error", retry_at=NOW + 9),
            Assessment("renewing", "AWS has an internal error", "renew", NOW + 9),
        ),
        (
            judged(TOKEN, expires_at=NOW, failure="AWS cannot be reached", offline=True, retry_at=NOW + 9),
            Assessment("offline", "AWS cannot be reached", "renew", NOW + 9),
        ),
        (judged(TOKEN, expires_at=NOW, offline=True), Assessment("offline", "AWS cannot be reached", "renew", NOW)),
        (judged(TOKEN, expires_at=NOW, refused="over"), Assessment("expired", "over")),
        (judged(TOKEN, rejected=True, refused="over"), Assessment("expired", "over")),
    ],
)
def test_states(assessment: Assessment, expected: Assessment) -> None:
    assert assessment == expected
    assert assessment.login_needed == (expected.state in {"expired", "logged_out"})


def test_offline_does_not_count_while_the_token_lives() -> None:
    assert judged(TOKEN, offline=True, failure="AWS cannot be reached").state == "active"


def test_no_warnings_are_no_error() -> None:
    assert assess(FIXED, NOW, ()) == Assessment("active", "this login cannot be renewed")
    assert assess(View(expires_at=NOW - 1), NOW, ()).state == "expired"
    assert due_warning(FIXED, NOW + 10**6, None, ()) is None


VIEWS = st.builds(
    View,
    expires_at=st.none() | st.floats(NOW - 7200, NOW + 7200),
    refreshable=st.booleans(),
    refused=st.none() | st.just("refused"),
    rejected=st.booleans(),
    failure=st.none() | st.just("failure"),
    offline=st.booleans(),
    retry_at=st.none() | st.floats(NOW - 60, NOW + 60),
    renew_at=st.floats(NOW - 7200, NOW + 7200),
    problem=st.none() | st.just("problem"),
)


@given(VIEWS)
def test_what_comes_next_always_makes_sense(view: View) -> None:
    assessment = assess(view, NOW)
    assert assessment.reason
    assert (assessment.next_action is None) == (assessment.next_action_at is None)
    if assessment.next_action == "warn":
        assert assessment.next_action_at is not None
        assert assessment.next_action_at > NOW  # a moment in the past would be a loop without a pause
    if assessment.login_needed:
        assert assessment.next_action is None
    if view.refused is not None:
        assert assessment.next_action != "renew"
    lives = view.expires_at is not None and view.expires_at > NOW and not view.rejected
    readable = view.expires_at is not None and view.problem is None
    if view.refreshable and view.refused is None and (lives or readable):
        assert assessment.next_action == "renew"
    if view.problem is not None and not lives:
        assert assessment.login_needed
        assert assessment.reason == "problem"


# --- warnings -------------------------------------------------------------------------------------------------------


def warnings(moments: list[float], view: View = FIXED) -> list[Notice]:
    given: list[Notice] = []
    for left in moments:
        notice = due_warning(view, NOW + 3600 - left, given[-1].before if given else None)
        if notice is not None:
            given.append(notice)
    return given


def test_warnings_come_in_turn_and_once() -> None:
    every_second = [float(left) for left in range(1000, -100, -1)]
    assert [notice.before for notice in warnings(every_second)] == [900, 300, 0]


@pytest.mark.parametrize(
    ("moments", "given"),
    [
        ([901], []),
        ([900], [900]),
        ([299], [300]),  # slept through the first
        ([-3600], [0]),  # slept through all
        ([600, 200, 100, -1, -2], [900, 300, 0]),
        ([600, -1], [900, 0]),
    ],
)
def test_only_the_last_of_several_that_are_due(moments: list[float], given: list[float]) -> None:
    assert warnings(moments) == [Notice(before, NOW + 3600) for before in given]


def test_what_renews_itself_is_never_warned_about() -> None:
    assert due_warning(TOKEN, NOW + 3600, None) is None
    assert due_warning(View(), NOW, None) is None


def test_refused_renewal_is_warned_about() -> None:
    refused = View(expires_at=NOW + 200, refreshable=True, refused="over")
    assert due_warning(refused, NOW, None) == Notice(300, NOW + 200)


def test_rejected_token_has_ended_whatever_its_date_says() -> None:
    rejected = View(expires_at=NOW + 3000, refreshable=True, refused="over", rejected=True)
    assert due_warning(rejected, NOW, None) == Notice(0, NOW + 3000)
    assert due_warning(rejected, NOW, 0) is None


@given(st.lists(st.floats(-4000, 4000), max_size=20), st.lists(st.floats(0, 3600), min_size=1, max_size=5))
def test_warnings_only_ever_get_later(moments: list[float], before: list[float]) -> None:
    already: float | None = None
    seen = []
    for now in sorted(NOW + moment for moment in moments):
        notice = due_warning(FIXED, now, already, before)
        if notice is not None:
            seen.append(notice.before)
            already = notice.before
    assert all(later < earlier for earlier, later in itertools.pairwise(seen))


def test_the_end_of_what_cannot_be_read_is_told_though_it_could_have_been_renewed() -> None:
    view = View(expires_at=NOW, refreshable=True, problem="cannot be understood")
    assert due_warning(view, NOW - 1, None) is None
    assert due_warning(view, NOW, None) == Notice(0.0, NOW)


# --- a clock that is put back ---------------------------------------------------------------------------------------


def test_no_pause_is_longer_than_the_longest() -> None:
    assert still_due(NOW + 60, NOW) == NOW + 60
    assert still_due(NOW - 5, NOW) == NOW - 5
    assert still_due(NOW + 3 * 3600, NOW) == NOW


def test_a_moment_in_the_future_is_long_ago() -> None:
    assert recent(NOW - 1, NOW, 2.0)
    assert not recent(NOW - 2, NOW, 2.0)
    assert not recent(NOW + 1, NOW, 2.0)
