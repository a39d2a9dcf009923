"""Every value that is stored comes back as it was, and nothing is guessed."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.core.errors import InternalError, NeedsHuman
from securewatch.deploy.model import DeployRules, GateRules, Plan, Run, RunKind, Stage
from securewatch.health.verdict import Baseline, Comparison, Thresholds
from securewatch.store import codec

T = TypeVar("T")
NOW = datetime(2026, 11, 22, 8, 0, 0, 123, tzinfo=UTC)
REMOVED = object()
RUN = Run("r1", "7f3a", "acme", RunKind.DEPLOY, 1, 1, "v1.1.0", "9c1e2ab", Stage.QUEUED, NOW, "ann", NOW)
INSTANTS = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy adds the zones; the first day of all overflows in UTC
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(datetime, INSTANTS)
st.register_type_strategy(float, NUMBERS)
st.register_type_strategy(Thresholds, st.builds(Thresholds, consecutive_failures=st.integers(1), error_rate=NUMBERS))


def round_trip(kind: type[T], value: T) -> T:
    return codec.load(kind, codec.dump(value), "it")


@given(st.from_type(Plan))
@settings(max_examples=25, deadline=None)
def test_every_plan_comes_back(plan: Plan) -> None:
    assert round_trip(Plan, plan) == plan


@given(st.from_type(Run))
@settings(max_examples=60, deadline=None)
def test_every_run_comes_back(run: Run) -> None:
    assert round_trip(Run, run) == run


@pytest.mark.parametrize("kind", [GateRules, DeployRules, Thresholds, Baseline, Comparison])
def test_every_part_comes_back_alone(kind: type) -> None:
    @given(st.from_type(kind))
    @settings(max_examples=20, deadline=None)
    def check(value: object) -> None:
        assert round_trip(kind, value) == value

    check()


def test_a_rule_is_stored_even_where_it_is_the_default() -> None:
    assert json.loads(codec.dump(DeployRules()))["settle_seconds"] == DeployRules().settle_seconds


def document(**changes: Any) -> str:
    """A stored run, with some of its keys changed or REMOVED."""
    raw = json.loads(codec.dump(RUN)) | changes
    return json.dumps({key: value for key, value in raw.items() if value is not REMOVED})


def test_a_key_of_a_newer_version_is_left_out() -> None:
    assert codec.load(Run, document(colour="blue"), "it") == RUN


def test_a_key_that_an_older_version_did_not_write_has_its_default() -> None:
    assert codec.load(Run, document(unwatched_seconds=REMOVED), "it") == RUN
    assert codec.load(GateRules, '{"needs_approval": true}', "it") == GateRules(needs_approval=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "levitating"},
        {"kind": None},
        {"since": "yesterday"},
        {"since": None},
        {"generation": "one"},
        {"slug": REMOVED},
        {"progress": [{"kind": "middle"}]},
        {"baseline": [["backend"]]},
        {"good": 5},
        {"version": None},
        {"force": "no"},
        {"attempt": 1.5},
        {"unwatched_seconds": "1"},
    ],
)
def test_what_this_version_does_not_know_is_told_and_not_guessed(changes: dict[str, Any]) -> None:
    with pytest.raises(NeedsHuman) as caught:
        codec.load(Run, document(**changes), "the run r1")

    assert caught.value.code == "SW703"
    assert caught.value.what == "the run r1 cannot be read by this version"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "5"])
def test_a_document_that_is_none_is_told(text: str) -> None:
    with pytest.raises(NeedsHuman):
        codec.load(Run, text, "the run r1")


@given(st.lists(INSTANTS, min_size=2))
@settings(max_examples=30, deadline=None)
def test_instants_sort_as_text_as_they_do_in_time(instants: list[datetime]) -> None:
    texts = [codec.to_text(one) for one in instants]

    assert [codec.from_text(text) for text in sorted(texts)] == sorted(instants)


def test_an_instant_without_a_zone_is_a_bug() -> None:
    with pytest.raises(InternalError):
        codec.to_text(NOW.replace(tzinfo=None))


def test_equal_values_are_written_in_one_way_and_others_in_another() -> None:
    assert codec.dump_canonical({"b": (1, NOW), "a": {"y": None, "x": "ü"}}) == (
        '{"a":{"x":"\\u00fc","y":null},"b":[1,"2026-11-22T08:00:00.000123+00:00"]}'
    )
    assert codec.dump_canonical({"a": 1}) != codec.dump_canonical({"a": "1"})


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.lists(st.text())))
@settings(max_examples=30, deadline=None)
def test_a_mapping_comes_back(values: dict[str, Any]) -> None:
    assert codec.load_mapping(codec.dump_mapping(values)) == values
    assert codec.load_mapping(codec.dump_canonical(values)) == values


def test_values_of_the_model_become_plain_ones() -> None:
    plain = {"stage": Stage.HELD, "baseline": Baseline(1.0, None, 2, 0), "ids": frozenset({"b", "a"})}

    assert codec.load_mapping(codec.dump_mapping(plain)) == {
        "stage": "held",
        "baseline": {"median_ms": 1.0, "p95_ms": None, "samples": 2, "failures": 0},
        "ids": ["a", "b"],
    }


def test_text_that_a_database_cannot_hold_is_escaped() -> None:
    assert codec.safe_text("a\x00b\ud800ü") == "a\\x00b\\ud800ü"
