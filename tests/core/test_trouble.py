from __future__ import annotations

from credhelper.core.trouble import Trouble


def test_each_reason_is_news_once_until_it_is_over() -> None:
    trouble = Trouble()
    assert not trouble.over()
    assert trouble.news("no network")
    assert not trouble.news("no network")
    assert trouble.news("a sign-in page")
    assert not trouble.news("no network")
    assert trouble.over()
    assert not trouble.over()
    assert trouble.news("no network")


def test_words_that_are_always_other_ones_are_not_said_for_ever() -> None:
    trouble = Trouble()
    assert sum(trouble.news(f"reason {number}") for number in range(1000)) == 8
    assert trouble.over()


def test_what_nobody_calls_over_is_news_again_after_an_hour() -> None:
    trouble = Trouble()
    assert trouble.news("a bug", at=100.0)
    assert not trouble.news("a bug", at=3699.0)
    assert trouble.news("a bug", at=3700.0)
    assert sum(trouble.news(f"reason {number}", at=4000.0) for number in range(1000)) == 7
    assert trouble.news("reason 8", at=7600.0)
