"""What commits were about, as a loop of the same process is told."""

from securewatch.store.news import FLEET, News, sampled_runs, samples_of


def test_subjects_of_every_commit_since_then_come_together() -> None:
    news = News()
    news.note(4, ["acme-1"])
    news.note(5, [samples_of("acme-1"), FLEET])

    assert news.since(3, 5) == {"acme-1", samples_of("acme-1"), FLEET}
    assert news.since(5, 5) == frozenset()


def test_a_commit_that_nobody_here_made_or_that_says_nothing_may_be_about_anything() -> None:
    news = News()
    news.note(4, ["acme-1"])
    news.note(6, None)

    assert news.since(3, 4) == {"acme-1"}
    assert news.since(3, 5) is None
    assert news.since(5, 6) is None


def test_new_samples_of_a_run_are_not_news_of_the_run() -> None:
    subjects = {samples_of("acme-1"), "bravo-2", FLEET}

    assert sampled_runs(subjects) == {"acme-1"}
    assert "acme-1" not in subjects
