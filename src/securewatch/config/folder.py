"""Where the configuration folder is and what its files are called. Reads none of them."""

from pathlib import Path

from securewatch.core.errors import ConfigError

CONFIG_FOLDER = "config"
RENDER_FILE = "render-deployment.json"
CUSTOMERS_FILE = "customers.json"
RELEASE_POLICIES_FILE = "minor-release-policies.json"
DEPLOYMENT_POLICIES_FILE = "deployment-policies.json"
OWN_FILE = "securewatch.json"


def find_config_dir(start: Path, explicit: Path | None = None) -> Path:
    """The configuration folder as an absolute path: the explicit one, else the nearest `config/` from `start` upwards.

    Raises ConfigError (SW101) where the explicit folder is none, or no folder above has one.
    """
    if explicit is not None:
        folder = start.absolute() / explicit
        if not folder.is_dir():
            raise _not_found(f"{folder} is not a folder")
        return folder
    found = find_config_dir_above(start)
    if found is None:
        raise _not_found(f"neither {start.absolute()} nor a folder above it has {CONFIG_FOLDER}/{RENDER_FILE}")
    return found


def find_config_dir_above(start: Path) -> Path | None:
    """The nearest `config/` with one of the fleet's two main files, from `start` upwards, or None."""
    here = start.absolute()
    for folder in (here, *here.parents):
        candidate = folder / CONFIG_FOLDER
        if (candidate / RENDER_FILE).is_file() or (candidate / CUSTOMERS_FILE).is_file():
            return candidate
    return None


def _not_found(why: str) -> ConfigError:
    return ConfigError(
        "SW101",
        "the configuration folder was not found",
        why=why,
        fix="run this inside the project, or name the folder with --config or SECUREWATCH_CONFIG_DIR",
    )
