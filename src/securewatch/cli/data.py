"""Values as JSON that scripts rely on: more keys may come, none go (design: interface, formats)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securewatch.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securewatch.operations.health import CustomerHealth
    from securewatch.operations.history import CustomerCard
    from securewatch.operations.notices import Draft
    from securewatch.operations.plan import Planned
    from securewatch.operations.status import CustomerStatus, ServiceStatus
    from securewatch.rollout.notices import Notice
    from securewatch.store.outbox import Entry


def print_json(data: object) -> None:
    """Print one JSON document to standard output."""
    print(json.dumps(plain(data), indent=2, ensure_ascii=False), flush=True)


def plain(value: object) -> Any:
    """Dataclasses, enums, instants (ISO 8601 UTC) and paths as plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum | Path):
        return value.value if isinstance(value, Enum) else str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return value


def rows_data(rows: "Iterable[object]") -> list[dict[str, Any]]:
    """Records as JSON data: null where there is nothing, never an empty text."""
    return [{key: None if value == "" else value for key, value in plain(row).items()} for row in rows]


def status_data(status: "CustomerStatus", code: ExitCode | None = None) -> dict[str, Any]:
    """One customer's state; `waiting_on` and `until` are null where it moves by itself."""
    waiting = status.waiting_on
    data = {
        "slug": status.slug,
        "name": status.name,
        "policy": status.policy,
        "phase": status.phase,
        "kind": status.kind,
        "status": status.status,
        "version": status.version,
        "from_version": status.from_version or None,
        "commit": status.run.commit,
        "detail": status.detail,
        "code": status.code or None,
        "stage": status.run.stage,
        "trigger": status.run.trigger or None,
        "waiting_on": waiting.what if waiting else None,
        "until": status.until,
        "services": [_service_data(one) for one in status.services],
        "run": status.run.id,
        "plan": status.plan_hash,
        "requested_by": status.run.requested_by,
        "requested_at": status.run.requested_at,
        "verified_at": status.run.verified_at,
        "finished_at": status.run.finished_at,
    }
    return data | ({"exit_code": int(code)} if code is not None else {})


def _service_data(service: "ServiceStatus") -> dict[str, Any]:
    return {
        "kind": service.kind,
        "service_id": service.service_id,
        "deploy_id": service.deploy_id,
        "status": service.status,
        "seconds": service.seconds,
        "stage": service.stage,
        "reported_version": service.version_note or None,
        "response": service.comparison,
    }


def plan_data(planned: "Planned") -> dict[str, Any]:
    """A plan and the checks behind it. Env vars are named, never shown."""
    plan, customer = planned.plan, planned.plan.customers[0]
    return {
        "plan": plan.hash,
        "kind": plan.kind,
        "version": plan.version,
        "commit": plan.commit,
        "slug": customer.slug,
        "customer": customer.slug,
        "policy": customer.policy,
        "phase": customer.phase,
        "from_version": planned.from_version or None,
        "is_there": planned.is_there,
        "services": [
            {
                "kind": one.kind,
                "service_id": one.service_id,
                "name": one.name,
                "env_changes": [{"key": change.key, "is_new": change.before is None} for change in one.env_changes],
                "drift": [drift.key for drift in one.drift],
                "live_deploy_id": one.live_deploy_id,
                "live_commit": one.live_commit,
            }
            for one in customer.services
        ],
        "gates": customer.gates,
        "rules": customer.rules,
        "checks": planned.checks,
        "notes": plan.notes,
    }


def card_data(card: "CustomerCard") -> dict[str, Any]:
    """One customer's card; `last` is null where nothing was ever deployed."""
    data: dict[str, Any] = plain(card)
    return data | {"last": status_data(card.last) if card.last is not None else None}


def health_data(health: "CustomerHealth") -> dict[str, Any]:
    """A customer's health."""
    return {
        "slug": health.slug,
        "healthy": health.is_healthy,
        "split": health.split or None,
        "services": health.services,
    }


def draft_data(draft: "Draft") -> dict[str, Any]:
    """A notice as it would read now."""
    return {**_told(draft.notice), "to": draft.to, "subject": draft.letter.subject, "body": draft.letter.body}


def notice_data(entry: "Entry") -> dict[str, Any]:
    """A notice of the outbox; no address is in it."""
    delivery = entry.delivery
    return {
        **_told(entry.notice),
        "state": entry.state,
        "tries": entry.tries,
        "next_at": entry.next_at,
        "sent_at": delivery.sent_at,
        "detail": delivery.reason or None,
    }


def _told(notice: "Notice") -> dict[str, Any]:
    return {
        "event": notice.event,
        "kind": notice.kind,
        "slug": notice.slug,
        "version": notice.version or None,
        "recipient": notice.recipient,
        "due_at": notice.due_at,
        "at": notice.facts.at,
    }
