"""How the deploys that one may go back to are put in words."""

from datetime import UTC, datetime

from securewatch.operations.rollback import candidate_words
from securewatch.render.models import Commit, Deploy

COMMIT = Commit(id="9c1e2ab0f37d4c5e6a7b")


def test_a_candidate_shows_its_commit_and_when_it_was_made() -> None:
    deploy = Deploy(id="dep-1", commit=COMMIT, created_at=datetime(2026, 11, 24, 12, 5, tzinfo=UTC))

    assert candidate_words(deploy) == "dep-1 (9c1e2ab0f37d, 2026-11-24 12:05 UTC)"


def test_a_candidate_without_a_date_or_a_commit_is_shown_without() -> None:
    assert candidate_words(Deploy(id="dep-2", commit=COMMIT)) == "dep-2 (9c1e2ab0f37d)"
    assert candidate_words(Deploy(id="dep-3")) == "dep-3 (no commit)"
