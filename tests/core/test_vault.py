from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.core.schedule import margin
from credhelper.core.vault import FAILURE_PAUSE, IDLE_AFTER, REFUSAL_KEPT, Vault
from credhelper.model import RoleCredentials, RoleKey

NOW = 1_800_000_000.0
KEY = RoleKey("corp https://x", "123456789012", "Admin")
OTHER = RoleKey("lab https://y", "123456789012", "Admin")
HOUR = 3600.0


def credentials(now: float = NOW, lifetime: float = HOUR) -> RoleCredentials:
    return RoleCredentials("ASIA", "secret", "token", now + lifetime, lifetime)


def filled(key: RoleKey = KEY, now: float = NOW, lifetime: float = HOUR) -> Vault:
    vault = Vault()
    vault.ask(key, now)
    vault.keep(key, credentials(now, lifetime), now)
    return vault


# --- serve or fetch -------------------------------------------------------------------------------------------------


def test_cold() -> None:
    vault = Vault()
    assert vault.ask(KEY, NOW) == "fetch"
    assert vault.live(KEY, NOW) is None
    assert vault.expiry(KEY) is None
    assert len(vault) == 0
    assert vault.next_due(NOW) is None


@pytest.mark.parametrize(
    ("lifetime", "age", "choice"),
    [
        (HOUR, 0, "serve"),
        (HOUR, 40 * 60, "serve"),  # exactly 20 minutes left
        (HOUR, 40 * 60 + 1, "fetch"),
        (HOUR, HOUR, "fetch"),
        (12 * HOUR, 12 * HOUR - 1200, "serve"),
        (12 * HOUR, 12 * HOUR - 1199, "fetch"),
        (900, 600, "serve"),
        (900, 601, "fetch"),
    ],
)
def test_margin_decides(lifetime: float, age: float, choice: str) -> None:
    vault = filled(lifetime=lifetime)
    assert vault.ask(KEY, NOW + age) == choice


def test_what_lives_can_still_be_served_when_nothing_better_can_be_had() -> None:
    vault = filled()
    assert vault.live(KEY, NOW + HOUR - 0.6) is not None
    assert vault.live(KEY, NOW + HOUR - 0.5) is None, "a caller has yet to look at them"
    assert vault.ask(KEY, NOW + HOUR - 0.5) == "fetch"


def short_answers(vault: Vault, asks: list[float], expires_at: float) -> list[float]:
    """When a server that gives nothing beyond `expires_at` is asked."""
    fetches = []
    for now in asks:
        if vault.ask(KEY, now) == "fetch":
            fetches.append(now)
            if expires_at > now:
                vault.keep(KEY, RoleCredentials("A", "s", "t", expires_at, HOUR), now)
    return fetches


def test_short_answers_are_asked_for_once_a_minute() -> None:
    end = NOW + 600
    fetches = short_answers(Vault(), [NOW + second for second in range(598)], end)
    assert fetches == [NOW + 60 * minute for minute in range(10)]


def test_very_short_lives_are_asked_for_once_in_a_third_of_them() -> None:
    vault = Vault()
    fetches = []
    for second in range(120):
        now = NOW + second
        if vault.ask(KEY, now) == "fetch":
            fetches.append(second)
            # Whatever comes has 10.5 seconds, more than a third of its 30, and is over half a second early.
            vault.keep(KEY, RoleCredentials("A", "s", "t", now + 10.5, 30), now)
    assert all(later - earlier >= 9.5 for earlier, later in itertools.pairwise(fetches))


@given(st.lists(st.floats(0, 7200), min_size=1, max_size=200), st.floats(60, 7200))
def test_at_most_one_fetch_in_a_minute_while_something_lives(offsets: list[float], end: float) -> None:
    fetches = short_answers(Vault(), [NOW + offset for offset in sorted(offsets)], NOW + end)
    living = [now for now in fetches if now < NOW + end - 0.5]
    assert all(later - earlier >= 60 for earlier, later in itertools.pairwise(living))


def test_after_a_failure_what_lives_is_served_at_once_for_a_while() -> None:
    vault = filled()
    late = NOW + 50 * 60
    assert vault.ask(KEY, late) == "fetch"
    vault.failed(KEY, late)
    assert vault.ask(KEY, late + FAILURE_PAUSE - 0.1) == "serve"
    assert vault.ask(KEY, late + FAILURE_PAUSE) == "fetch"
    vault.failed(KEY, late + FAILURE_PAUSE)
    vault.keep(KEY, credentials(late + 11), late + 11)
    assert vault.ask(KEY, late + 12) == "serve"


def test_failure_serves_nothing_that_has_ended() -> None:
    vault = filled()
    vault.failed(KEY, NOW + HOUR)
    assert vault.ask(KEY, NOW + HOUR) == "fetch"
    vault.failed(OTHER, NOW)
    assert vault.ask(OTHER, NOW) == "fetch"


def test_shorter_answer_does_not_replace_a_longer_one() -> None:
    vault = filled()
    vault.keep(KEY, credentials(lifetime=60), NOW + 1)
    assert vault.expiry(KEY) == NOW + HOUR
    vault.keep(KEY, credentials(NOW + 2), NOW + 2)
    assert vault.expiry(KEY) == NOW + HOUR + 2


# --- refusal --------------------------------------------------------------------------------------------------------


def test_refusal_is_believed_for_a_few_seconds() -> None:
    vault = filled()
    vault.refuse(KEY, "no access", NOW)
    assert vault.live(KEY, NOW) is None
    assert len(vault) == 0
    assert vault.refusal(KEY, NOW + REFUSAL_KEPT - 0.1) == "no access"
    assert vault.refusal(KEY, NOW + REFUSAL_KEPT) is None
    assert vault.refusal(OTHER, NOW) is None


def test_refusal_ends_with_an_answer() -> None:
    vault = Vault()
    vault.refuse(KEY, "no access", NOW)
    vault.keep(KEY, credentials(), NOW + 1)
    assert vault.refusal(KEY, NOW + 1) is None


def test_a_clock_put_back_does_not_prolong_a_refusal() -> None:
    vault = Vault()
    vault.refuse(KEY, "no access", NOW)
    assert vault.refusal(KEY, NOW - HOUR) is None


# --- the background -------------------------------------------------------------------------------------------------


def test_background_comes_before_a_caller_would_have_to_wait() -> None:
    vault = filled()
    due = vault.next_due(NOW)
    assert due == NOW + HOUR - 1500
    assert vault.due(due - 0.1) == []
    assert vault.due(due) == [KEY]
    assert vault.ask(KEY, due) == "serve"


def test_background_renews_for_two_hours_after_the_last_question() -> None:
    vault = Vault()
    vault.ask(KEY, NOW)
    now, fetches = NOW, 0
    vault.keep(KEY, credentials(now), now)
    while True:
        vault.purge(now)
        due = vault.next_due(now)
        if due is None:
            break
        assert due > now  # else the loop would spin
        now = due
        for key in vault.due(now):
            fetches += 1
            vault.keep(key, credentials(now), now)
    assert NOW + IDLE_AFTER < now < NOW + IDLE_AFTER + HOUR + 1
    assert fetches == 3
    assert len(vault) == 0
    assert vault.used_since(KEY.session, NOW) == []


def test_background_waits_after_a_failure() -> None:
    vault = filled()
    due = NOW + HOUR - 1500
    vault.postpone(KEY, due + 30)
    vault.postpone(OTHER, due + 30)
    assert vault.due(due + 29) == []
    assert vault.next_due(due) == due + 30
    assert vault.due(due + 30) == [KEY]


def test_purge_keeps_what_lives() -> None:
    vault = filled(lifetime=12 * HOUR)
    vault.purge(NOW + 3 * HOUR)
    assert vault.expiry(KEY) == NOW + 12 * HOUR
    vault.purge(NOW + 12 * HOUR)
    assert vault.expiry(KEY) is None
    assert len(vault) == 0


def test_purge_forgets_refusals_too() -> None:
    vault = Vault()
    vault.refuse(KEY, "no access", NOW)
    vault.purge(NOW + IDLE_AFTER + 1)
    assert vault.refusal(KEY, NOW) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "keep", "refuse", "postpone", "failed"]), st.floats(0, 4000), st.floats(1, 50_000)
    ),
    max_size=30,
)


@given(STEPS)
def test_the_next_moment_never_stays_in_the_past(steps: list[tuple[str, float, float]]) -> None:
    """As the daemon's loop does it: purge, postpone what is due (its fetch may hang), ask when to look again."""
    vault, now = Vault(), NOW
    for what, pause, span in steps:
        now += pause
        if what == "ask":
            vault.ask(KEY, now)
        elif what == "keep":
            vault.keep(KEY, credentials(now, span), now)
        elif what == "refuse":
            vault.refuse(KEY, "no", now)
        elif what == "failed":
            vault.failed(KEY, now)
        else:
            vault.postpone(KEY, now + span)
        vault.purge(now)
        for key in vault.due(now):
            vault.postpone(key, now + 1.0)
        due = vault.next_due(now)
        assert due is None or due > now


@given(st.floats(3, 12 * HOUR), st.floats(0, 13 * HOUR))
def test_what_is_served_has_the_margin_left_or_was_just_fetched(lifetime: float, age: float) -> None:
    vault = filled(lifetime=lifetime)
    if vault.ask(KEY, NOW + age) == "serve":
        left = lifetime - age
        assert left > 0
        assert left >= margin(lifetime) - 1e-3 or age < min(60, lifetime / 3)


# --- forgetting -----------------------------------------------------------------------------------------------------


def test_forget_one_session_or_all() -> None:
    vault = filled()
    vault.keep(OTHER, credentials(), NOW)
    vault.ask(RoleKey(KEY.session, "1", "cold"), NOW)
    assert vault.forget(KEY.session) == 1
    assert vault.expiry(KEY) is None
    assert len(vault) == 1
    assert vault.forget() == 1
    assert len(vault) == 0
    assert vault.forget() == 0


def test_used_since() -> None:
    vault = filled()
    vault.ask(OTHER, NOW)
    assert vault.used_since(KEY.session, NOW) == [KEY]
    assert vault.used_since(KEY.session, NOW + 1) == []


# --- a clock that is put back ---------------------------------------------------------------------------------------


def test_pauses_that_were_set_before_the_clock_was_put_back_are_over() -> None:
    ahead = NOW + 3 * HOUR
    vault = Vault()
    vault.ask(KEY, ahead)
    vault.keep(KEY, credentials(NOW), ahead)
    vault.failed(KEY, ahead)
    vault.postpone(KEY, ahead + 30)
    late = NOW + HOUR - 1400
    assert vault.due(late) == [KEY]
    assert vault.next_due(late) == late
    assert vault.ask(KEY, NOW + HOUR - 1000) == "fetch"


def test_what_was_asked_for_before_the_clock_was_put_back_is_not_kept_for_longer() -> None:
    vault = Vault()
    vault.ask(KEY, NOW + 100 * HOUR)
    vault.keep(KEY, credentials(NOW, 12 * HOUR), NOW)
    vault.purge(NOW)
    assert vault.next_due(NOW) == NOW + 12 * HOUR - 0.5
