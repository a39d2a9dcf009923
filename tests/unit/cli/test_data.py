"""Values as JSON that scripts rely on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from securewatch.cli.data import plain, rows_data, status_data
from securewatch.core.errors import ExitCode
from securewatch.deploy.model import ServiceKind, Stage
from securewatch.deploy.view import Decision, WaitingOn
from securewatch.operations.status import status_of
from tests.factories import NOW, make_live, make_view


@dataclass(frozen=True)
class Leaf:
    """A value inside a value."""

    at: datetime
    kinds: tuple[ServiceKind, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (0.5, 0.5),
        ("text", "text"),
        (ServiceKind.BACKEND, "backend"),
        (ExitCode.WAITING, 5),
        (Path("/a/b"), "/a/b"),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), "2026-11-24T12:00:00Z"),
        (datetime(2026, 11, 24, 12, tzinfo=timezone(timedelta(hours=2))), "2026-11-24T10:00:00Z"),
        ({ServiceKind.BACKEND: (1, 2)}, {"backend": [1, 2]}),
        ([{"a": ServiceKind.FRONTEND}], [{"a": "frontend"}]),
    ],
)
def test_values_become_plain_json(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_dataclasses_become_objects_all_the_way_down() -> None:
    leaf = Leaf(NOW, (ServiceKind.BACKEND,))

    assert plain({"leaf": leaf}) == {"leaf": {"at": "2026-11-24T12:00:00Z", "kinds": ["backend"]}}


def test_the_keys_that_scripts_rely_on_are_there() -> None:
    view = make_view(
        Stage.WATCHING, run={"progress": (make_live(ServiceKind.BACKEND), make_live(ServiceKind.FRONTEND))}
    )

    data = status_data(status_of(view, None, NOW), ExitCode.DONE)

    assert {"slug", "policy", "phase", "status", "version", "waiting_on", "until", "services", "detail"} <= data.keys()
    assert {"kind", "service_id", "deploy_id", "status", "seconds"} <= data["services"][0].keys()
    assert (data["waiting_on"], data["until"], data["exit_code"]) == (None, None, 0)


def test_what_it_waits_for_is_said_with_its_end() -> None:
    until = NOW + timedelta(hours=6)
    view = make_view()
    decision = Decision(view.run, waiting_on=WaitingOn("the maintenance window", "SW401", until, is_gate=True))

    data = status_data(status_of(view, decision, NOW))

    assert (data["status"], data["waiting_on"], data["until"]) == ("waiting", "the maintenance window", until)
    assert "exit_code" not in data


def test_a_record_says_null_where_there_is_nothing() -> None:
    @dataclass(frozen=True)
    class Row:
        slug: str
        backend: str

    assert rows_data([Row("acme-corp", "")]) == [{"slug": "acme-corp", "backend": None}]
