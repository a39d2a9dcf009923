"""Merges the checked files into one Fleet: what they mean together. Reads no file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from securewatch.config import extras
from securewatch.config.customers import FileNames, Merged, merge_customers
from securewatch.config.files.checking import SECRET_NAMES, SECRET_VALUES, show_found
from securewatch.config.files.customers_file import CustomersFile
from securewatch.config.files.kinds import POLICY_WORDS
from securewatch.config.files.own_file import Probe, SecurewatchFile
from securewatch.config.files.policy_files import DeploymentPoliciesFile, MinorReleasePoliciesFile
from securewatch.config.files.policy_files import DeploymentRule as RuleEntry
from securewatch.config.files.reading import join_path
from securewatch.config.files.render_file import RenderDeploymentFile
from securewatch.config.fleet import (
    PHASE_OF_POLICY,
    ConfigWarning,
    Criterion,
    Endpoints,
    Fleet,
    Templates,
)
from securewatch.config.folder import CUSTOMERS_FILE, OWN_FILE, RELEASE_POLICIES_FILE, RENDER_FILE
from securewatch.config.phases import Defaults, merge_calendar, merge_criteria, merge_phases, merge_triggers
from securewatch.config.policy import (
    DeploymentRule,
    DeploymentSource,
    Lifecycle,
    MessageTemplate,
    Policy,
    RollbackPolicy,
    VersionMetadata,
)
from securewatch.core.errors import Problem

DEFAULT_NAMING_CONVENTION = "securewatch-{customer-slug}-{service-type}"


@dataclass(frozen=True)
class Files:
    """The files' models; `names` are their names for people, by file name."""

    render: RenderDeploymentFile
    customers: CustomersFile
    release_policies: MinorReleasePoliciesFile
    deployment_policies: DeploymentPoliciesFile
    own: SecurewatchFile
    has_deployment_policies: bool
    names: Mapping[str, str]
    warnings: tuple[ConfigWarning, ...] = ()


def merge_fleet(config_dir: Path, files: Files) -> tuple[Fleet, list[Problem]]:
    """The fleet, and every problem that the files have only beside each other."""
    render, names, defaults = files.render, files.names, Defaults()
    merged = merge_customers(
        render.customer_environment_mapping,
        files.customers,
        FileNames(names[RENDER_FILE], names[CUSTOMERS_FILE]),
    )
    calendar, calendar_problems = merge_calendar(
        files.release_policies.minor_release_lifecycle, names[RELEASE_POLICIES_FILE], defaults
    )
    criteria, bar, criteria_problems = merge_criteria(render.health_monitoring.success_criteria, names[RENDER_FILE])
    channels = render.rollback_procedures.notification_channels
    convention = render.render_configuration.service_naming_convention
    fleet = Fleet(
        config_dir=config_dir,
        api_endpoint=render.render_configuration.api_endpoint,
        customers=merged.customers,
        phases=merge_phases(render, defaults),
        calendar=calendar,
        triggers=merge_triggers(render.rollback_procedures.automatic_triggers, defaults),
        criteria=criteria,
        bar=bar,
        endpoints=_endpoints(render),
        templates=Templates(
            dict(render.environment_variable_templates.backend_env_vars),
            dict(render.environment_variable_templates.frontend_env_vars),
        ),
        naming_convention=convention or DEFAULT_NAMING_CONVENTION,
        policies={word: _policy(word, files) for word in POLICY_WORDS},
        extra=_extras(files.own),
        versions=_versions(files),
        deployment_rules=_rules(files.deployment_policies),
        has_deployment_policies=files.has_deployment_policies,
        notification_channels={
            name: use for name in type(channels).model_fields if (use := getattr(channels, name)) is not None
        },
        messages={
            name: MessageTemplate(one.subject, one.content, one.include)
            for name, one in files.release_policies.communication_templates.items()
        },
        exit_criteria=_exit_criteria(files),
        version_compatibility=_mapping(files.release_policies.version_compatibility),
        problems=tuple(merged.held),
        warnings=(*files.warnings, *merged.warnings, *_warnings(files, criteria)),
        defaults_used=tuple(defaults.used),
    )
    problems = [*merged.problems, *calendar_problems, *criteria_problems]
    return fleet, [*problems, *_missing_parts(fleet, files, merged), *_own_problems(fleet, files)]


def _endpoints(file: RenderDeploymentFile) -> Endpoints:
    given, other = file.health_monitoring.endpoints, Endpoints()
    return Endpoints(
        given.backend_health or other.health,
        given.database_health or other.database,
        given.version_info or other.version,
    )


def _policy(word: str, files: Files) -> Policy:
    release = getattr(files.release_policies.minor_release_policies, word)
    deployment = getattr(files.deployment_policies.deployment_policies, word)
    supported = deployment.supported_versions
    return Policy(
        name=word,
        adoption_strategy=release.adoption_strategy,
        testing_period=release.testing_period,
        rollout_delay=release.rollout_delay,
        batch_size=release.batch_size,
        notification_advance=release.notification_advance,
        validation_requirements=release.validation_requirements,
        rollback=RollbackPolicy(
            release.rollback_policy.window, release.rollback_policy.triggers, release.rollback_policy.process
        ),
        approvers=tuple(release.approvers),
        require_reason=release.require_reason or word in files.own.require_reason,
        deployment_source=deployment.deployment_source,
        auto_update=deployment.auto_update,
        supported_versions=None if supported is None else tuple(supported),
        minimum_testing_period=deployment.minimum_testing_period,
        rollback_window=deployment.rollback_window,
        minor_release_policy=deployment.minor_release_policy,
    )


def _extras(own: SecurewatchFile) -> extras.Extras:
    other = extras.Extras()
    return extras.Extras(
        release_calendar=own.release_calendar,
        deploy_timeout=own.deploy_timeout or other.deploy_timeout,
        probe=_probe(own.probe),
        failure_budget=dict(own.failure_budget),
        approvals={phase: extras.ApprovalRule(rule.count, rule.expires_after) for phase, rule in own.approvals.items()},
        lanes=dict(own.lanes),
        require_reason=own.require_reason,
        service_names=dict(own.service_names),
        freezes=tuple(
            extras.Freeze(one.name, one.start, one.end, tuple(one.policies), tuple(one.customers))
            for one in own.freezes
        ),
        p95_may_fail=own.p95_may_fail,
        keep_backups=extras.Extras.keep_backups if own.keep_backups is None else own.keep_backups,
    )


def _probe(given: Probe) -> extras.ProbeSettings:
    other = extras.ProbeSettings()
    return extras.ProbeSettings(
        dense_interval=given.dense_interval or other.dense_interval,
        dense_duration=other.dense_duration if given.dense_duration is None else given.dense_duration,
        sparse_interval=given.sparse_interval or other.sparse_interval,
        timeout_seconds=given.timeout.total_seconds() if given.timeout else other.timeout_seconds,
        verification_interval=given.verification_interval or other.verification_interval,
        verification_samples=given.verification_samples or other.verification_samples,
        baseline_samples=given.baseline_samples or other.baseline_samples,
    )


def _versions(files: Files) -> VersionMetadata:
    metadata = files.customers.metadata
    return VersionMetadata(
        latest=metadata.latest_version,
        next_planned=metadata.next_planned_version,
        supported=tuple(metadata.supported_versions),
        deprecated=tuple(metadata.deprecated_versions),
        lifecycle={
            tag: Lifecycle(one.status, one.release_date, one.support_level, one.end_of_life, one.backward_compatible)
            for tag, one in files.deployment_policies.version_lifecycle.items()
        },
    )


def _rules(file: DeploymentPoliciesFile) -> dict[str, DeploymentRule]:
    rules = file.deployment_rules
    return {"production": _rule(rules.production), "staging": _rule(rules.staging), "demo": _rule(rules.demo)}


def _rule(entry: RuleEntry) -> DeploymentRule:
    return DeploymentRule(
        entry.requires_backup, entry.requires_approval, entry.requires_testing, entry.allowed_time_windows
    )


def _exit_criteria(files: Files) -> dict[str, tuple[str, ...]]:
    """When each phase counts as done, by its long name where it has one: the words of both policy files together."""
    rules = files.deployment_policies.minor_release_rules.rollout_phases
    stages = files.release_policies.minor_release_lifecycle.phases
    found: dict[str, list[str]] = {}
    for name, words in (
        *((one.name or one.phase or "", one.success_criteria) for one in rules),
        *((one.name.removesuffix("_release"), one.gate_criteria) for one in stages),
    ):
        found.setdefault(PHASE_OF_POLICY.get(name, name), []).extend(words)
    return {name: tuple(dict.fromkeys(words)) for name, words in found.items() if name}


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _missing_parts(fleet: Fleet, files: Files, merged: Merged) -> Iterator[Problem]:
    """Phases and windows that some customer needs and nobody wrote: neither is ever guessed (S12)."""
    entries = {one.slug: index for index, one in enumerate(files.customers.customers)}
    for phase in PHASE_OF_POLICY.values():
        users = [one.slug for one in merged.customers.values() if one.phase == phase]
        if users and phase not in fleet.phases:
            accepted = f"the phase of {', '.join(users[:3])}{', ...' if len(users) > 3 else ''}"
            yield Problem(files.names[RENDER_FILE], f"deployment_phases.{phase}", "nothing", accepted)
    for customer in merged.customers.values():
        index = entries.get(customer.slug)
        if index is None or customer.held or customer.phase not in fleet.phases:
            continue
        if not fleet.gates_of(customer).needs_window:
            continue
        if files.customers.customers[index].maintenance_window is None:
            path = f"customers[{index}].maintenance_window"
            accepted = "day, time and timezone: deploys of this customer wait for its window"
            yield Problem(files.names[CUSTOMERS_FILE], path, "nothing", accepted)


def _own_problems(fleet: Fleet, files: Files) -> Iterator[Problem]:
    name = files.names[OWN_FILE]
    for index, freeze in enumerate(fleet.extra.freezes):
        if freeze.end <= freeze.start:
            yield Problem(name, f"freezes[{index}].end", freeze.end.isoformat(), "an instant after the start")
        for place, slug in enumerate(freeze.customers):
            if slug not in fleet.customers:
                yield Problem(
                    name, f"freezes[{index}].customers[{place}]", show_found(slug, ""), "the slug of a customer"
                )
    for phase, rule in fleet.extra.approvals.items():
        approvers = fleet.policies[phase].approvers
        if approvers and rule.count > len(set(approvers)):
            accepted = f"at most {len(set(approvers))}: so many approvers does the policy {phase} name"
            yield Problem(name, f"approvals.{phase}.count", str(rule.count), accepted)


def _warnings(files: Files, criteria: tuple[Criterion, ...]) -> Iterator[ConfigWarning]:
    render = files.names[RENDER_FILE]
    for criterion in criteria:
        if criterion.bar is None or not criterion.is_measured:
            path = join_path("health_monitoring.success_criteria", criterion.name)
            yield ConfigWarning(render, path, "shown only: nothing measures it")
    templates = files.render.environment_variable_templates
    for group in ("backend_env_vars", "frontend_env_vars"):
        for key, template in getattr(templates, group).items():
            if "${" not in template and (SECRET_NAMES.search(key) or SECRET_VALUES.search(template)):
                text = "the value looks like a secret; put a placeholder such as ${CUSTOMER_JWT_SECRET} in its place"
                yield ConfigWarning(render, join_path(f"environment_variable_templates.{group}", key), text)
    yield from _source_warnings(files)
    yield from _name_warnings(files)


def _name_warnings(files: Files) -> Iterator[ConfigWarning]:
    mappings = files.render.customer_environment_mapping
    known = {f"{slug}.{kind}" for slug in mappings for kind in ("backend", "frontend")}
    for one in mappings.values():
        known |= {one.backend_service_id, one.frontend_service_id}
    for key in files.own.service_names:
        if key not in known:
            text = "names no service of the fleet; accepted: a service id, or `slug.backend` or `slug.frontend`"
            yield ConfigWarning(files.names[OWN_FILE], join_path("service_names", key), text)


def _source_warnings(files: Files) -> Iterator[ConfigWarning]:
    """Customers that ask for the main branch where only demo may take it (reference: config format)."""
    mappings = files.render.customer_environment_mapping
    for index, entry in enumerate(files.customers.customers):
        mapping = mappings.get(entry.slug)
        policy = entry.deployment_policy or (mapping and mapping.deployment_policy) or "demo"
        allowed = getattr(files.deployment_policies.deployment_policies, policy).deployment_source
        may_take_main = allowed is DeploymentSource.MAIN_BRANCH or (allowed is None and policy == "demo")
        if entry.deployment_source is DeploymentSource.MAIN_BRANCH and not may_take_main:
            text = f"the policy {policy} does not allow the main branch: this customer takes stable tags"
            yield ConfigWarning(files.names[CUSTOMERS_FILE], f"customers[{index}].deployment_source", text)
