"""What the shell may complete: customers and versions, read from the files; silent where that fails."""

from pathlib import Path


def complete_customers(incomplete: str) -> list[str]:
    """The slugs that begin so."""
    from securewatch.config.load import load_fleet
    from securewatch.config.settings import load_settings
    from securewatch.core.errors import SecurewatchError

    try:
        customers = load_fleet(load_settings({}, Path.cwd()).config_dir).customers
    except SecurewatchError:
        return []
    return [slug for slug in customers if slug.startswith(incomplete)]


def complete_service_types(incomplete: str) -> list[str]:
    """The words of `--service-type`."""
    return [word for word in ("backend", "frontend", "both") if word.startswith(incomplete)]


def complete_untils(incomplete: str) -> list[str]:
    """The words of `--until`."""
    return [word for word in ("verified", "watched") if word.startswith(incomplete)]


def complete_phases(incomplete: str) -> list[str]:
    """The words of `--phase`."""
    return [word for word in ("demo", "startup", "standard", "enterprise") if word.startswith(incomplete)]


def complete_outputs(incomplete: str) -> list[str]:
    """The words of `--output`."""
    return [word for word in ("text", "json") if word.startswith(incomplete)]


def complete_versions(incomplete: str) -> list[str]:
    """The tags that begin so."""
    import asyncio

    from securewatch.config.settings import load_settings
    from securewatch.core.errors import SecurewatchError
    from securewatch.versions.git import VendorRepository

    try:
        settings = load_settings({}, Path.cwd())
        tags = asyncio.run(VendorRepository(settings.repo, settings.state_dir / "repo").list_tags())
    except SecurewatchError:
        return []
    return [tag.name for tag in tags if tag.name.startswith(incomplete)]
