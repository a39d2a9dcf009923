"""Every value that is stored comes back as it was, and nothing is guessed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.core.errors import InternalError, NeedsHuman
from securewatch.deploy.model import DeployRules, GateRules, Plan, Run, Stage
from securewatch.health.verdict import Baseline, Comparison, Thresholds
from securewatch.store import codec

NOW = datetime(2026, 11, 22, 8, 0, 0, 123, tzinfo=UTC)
INSTANTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(datetime, INSTANTS)
st.register_type_strategy(float, NUMBERS)
st.register_type_strategy(Thresholds, st.builds(Thresholds, consecutive_failures=st.integers(1), error_rate=NUMBERS))


def round_trip[T](kind: type[T], value: T) -> T:
    return codec.load(kind, codec.dump(value), "it")


@given(st.from_type(Plan))
@settings(max_examples=40, deadline=None)
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


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_is_stored_under_its_released_name(stage: Stage) -> None:
    assert json.loads(codec.dump({"stage": stage})) == {"stage": stage.value}


def make_run() -> Run:
    return st.from_type(Run).example() if False else _RUN


def test_a_rule_is_stored_even_where_it_is_the_default() -> None:
    assert json.loads(codec.dump(DeployRules()))["settle_seconds"] == DeployRules().settle_seconds
