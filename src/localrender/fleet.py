"""Writes a configuration folder that lists the synthetic customers too, so that the product knows the whole fleet."""

import json
from collections.abc import Sequence
from pathlib import Path

from localrender.seed import Customer

_WINDOW = {"day": "any", "time": "any", "timezone": "UTC"}


def write_config(source: Path, target: Path, extra: Sequence[Customer]) -> Path:
    """Copy the JSON files of the folder `source` to `target` and add the customers to them; gives `target`.

    Added are `customer_environment_mapping` of render-deployment.json and `customers` of customers.json.

    Raises:
        OSError, ValueError: the folder cannot be read as JSON, or not be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        if file.name == "render-deployment.json":
            mapping = document.setdefault("customer_environment_mapping", {})
            mapping.update({one.slug: _mapping(one) for one in extra})
        if file.name == "customers.json":
            document.setdefault("customers", []).extend(_customer(one) for one in extra)
        (target / file.name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return target


def _mapping(customer: Customer) -> dict[str, object]:
    return {
        "backend_service_id": customer.backend_id,
        "frontend_service_id": customer.frontend_id,
        "database_id": customer.database_id,
        "database_url": "${" + f"{customer.slug.replace('-', '_').upper()}_DATABASE_URL" + "}",
        "custom_domain": customer.domain,
        "deployment_policy": customer.policy,
    }


def _customer(customer: Customer) -> dict[str, object]:
    mapping = _mapping(customer)
    return {
        "name": customer.slug.replace("-", " ").title(),
        "slug": customer.slug,
        "industry": "technology",
        "size": customer.policy,
        "current_version": "v1.0.0",
        "target_version": "latest_stable",
        "deployment_policy": customer.policy,
        "deployment_source": "stable_tags_only",
        "database_url": mapping["database_url"],
        "render_services": {"backend": customer.backend_id, "frontend": customer.frontend_id},
        "setup_date": "2026-01-15",
        "last_updated": "2026-01-15",
        "auto_update": False,
        "contact": {"email": f"ops@{customer.domain}", "name": "Operations"},
        "maintenance_window": _WINDOW,
    }
