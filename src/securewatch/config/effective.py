"""Every value in force, as text with its origin, for `config show`. Shows no secret; changes nothing."""

from pydantic import SecretStr

from securewatch.config.address import masked_url
from securewatch.config.fleet import Fleet, Phase
from securewatch.config.folder import CUSTOMERS_FILE, RENDER_FILE
from securewatch.config.phases import show_default
from securewatch.config.settings import Settings
from securewatch.config.variables import VARIABLES

MASK = "********"
NOT_SET = "not set"
Row = tuple[str, str, str]


def effective_values(fleet: Fleet, settings: Settings) -> list[Row]:
    """(name, shown value, origin) of every setting and of what decides deploys; secrets are masked.

    The origin is flag, env, .env, default, or a file of the configuration; with the variable that sets the value.
    """
    return [*_settings(settings), *_phases(fleet), *_probing(fleet), *_customers(fleet)]


def _settings(settings: Settings) -> list[Row]:
    rows = []
    for name in (*VARIABLES, "state_dir"):
        origin, variable = settings.origins[name], VARIABLES.get(name, VARIABLES["database_url"])
        is_ours = origin in ("env", ".env", "default")
        rows.append((name, _shown(getattr(settings, name)), f"{origin} ({variable})" if is_ours else origin))
    return rows + [(name, MASK, "env or .env") for name in sorted(settings.secrets)]


def _shown(value: object) -> str:
    if value is None:
        return NOT_SET
    if isinstance(value, SecretStr):
        return MASK
    return f"{value:g}" if isinstance(value, float) else masked_url(str(value))


def _phases(fleet: Fleet) -> list[Row]:
    defaults = {path for path, _ in fleet.defaults_used}
    rows = []
    for phase in fleet.phases.values():
        for path, value in _values_of(phase):
            rows.append((path, show_default(value), "default" if path in defaults else RENDER_FILE))
    return rows


def _values_of(phase: Phase) -> list[tuple[str, object]]:
    path = f"deployment_phases.{phase.name}"
    batch = f"{path}.batch_configuration"
    return [
        (f"{path}.deployment_method", phase.deployment_method),
        (f"{path}.rollback_method", phase.rollback_method),
        (f"{path}.monitoring_duration", phase.monitoring_duration),
        (f"{batch}.batch_size", phase.batch_size),
        (f"{batch}.batch_delay", phase.batch_delay),
        (f"{batch}.health_check_delay", phase.health_check_delay),
    ]


def _probing(fleet: Fleet) -> list[Row]:
    defaults = {path for path, _ in fleet.defaults_used}
    path, triggers, endpoints = "rollback_procedures.automatic_triggers", fleet.triggers, fleet.endpoints
    values = (
        (f"{path}.health_check_failures", str(triggers.consecutive_failures)),
        (f"{path}.error_rate_threshold", f"{triggers.error_rate * 100:g}%"),
        (f"{path}.response_time_threshold", f"{triggers.response_ms:g}ms"),
        *((f"health_monitoring.success_criteria.{one.name}", one.text) for one in fleet.criteria),
        ("health_monitoring.endpoints.backend_health", endpoints.health),
        ("health_monitoring.endpoints.database_health", endpoints.database),
        ("health_monitoring.endpoints.version_info", endpoints.version),
    )
    return [(name, value, "default" if name in defaults else RENDER_FILE) for name, value in values]


def _customers(fleet: Fleet) -> list[Row]:
    rows = []
    for customer in fleet.customers.values():
        path = f"customers.{customer.slug}"
        rows += [
            (f"{path}.backend_service_id", customer.backend_service_id or NOT_SET, RENDER_FILE),
            (f"{path}.frontend_service_id", customer.frontend_service_id or NOT_SET, RENDER_FILE),
            (f"{path}.database_url", _database(customer.database_url), RENDER_FILE),
            (f"{path}.deployment_policy", customer.policy, CUSTOMERS_FILE),
            (f"{path}.maintenance_window", str(customer.window), CUSTOMERS_FILE),
            (f"{path}.held", "; ".join(customer.held) or "no", "both files"),
        ]
    return rows


def _database(url: SecretStr | None) -> str:
    """A placeholder as it stands; a real URL never."""
    text = url.get_secret_value() if url else ""
    is_placeholder = text.startswith("${") and text.endswith("}") and text.count("$") == 1
    return text if is_placeholder else MASK if text else NOT_SET
