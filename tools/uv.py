"""Runs uv with what pip is told about the machine: index, extra indexes, certificate, proxy.

uv does not read pip's settings, so on a machine where only pip is configured it would ask the wrong index. Settings
made for uv itself win. Not a wrapper with options of its own: every argument goes to uv.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TRANSLATIONS = {
    "index-url": (("UV_DEFAULT_INDEX", "UV_INDEX_URL"), " "),
    "extra-index-url": (("UV_INDEX", "UV_EXTRA_INDEX_URL"), " "),
    "find-links": (("UV_FIND_LINKS",), ","),
    "no-index": (("UV_NO_INDEX",), " "),
    "trusted-host": (("UV_INSECURE_HOST",), " "),
    "default-timeout": (("UV_HTTP_TIMEOUT",), " "),
    "timeout": (("UV_HTTP_TIMEOUT",), " "),
    "cert": (("SSL_CERT_FILE",), " "),
    "proxy": (("ALL_PROXY", "HTTPS_PROXY", "https_proxy", "all_proxy"), " "),
}
"""pip's name of a setting; uv's variables for it (the first is set, any that is there wins); how uv separates words."""

SECTIONS = ("global", "install", ":env:")
"""Where pip takes a setting from; the later wins."""


def parse_pip_settings(listing: str) -> dict[str, str]:
    """The settings in force, by pip's name, out of what `pip config list` prints (`section.name='value'` a line)."""
    ranked: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        key, _, literal = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in SECTIONS and SECTIONS.index(section) >= ranked.get(name, (-1, ""))[0]:
            ranked[name] = (SECTIONS.index(section), str(ast.literal_eval(literal)))
    return {name: value for name, (_, value) in ranked.items()}


def translate(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to add to `environment` so that uv does what pip would do with `settings`."""
    added: dict[str, str] = {}
    for name, (variables, separator) in TRANSLATIONS.items():
        words = settings.get(name, "").split()
        if name == "find-links":  # pip shrugs at a folder that does not exist, uv stops
            words = [word for word in words if "://" in word or Path(word).is_dir()]
        if words and not any(environment.get(variable) for variable in variables):
            added[variables[0]] = separator.join(words)
    return added


def main() -> None:
    """Replaces this process by uv."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    settings = parse_pip_settings(listed.stdout) if listed.returncode == 0 else {}
    uv = Path(sys.executable).with_name("uv")
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, **translate(settings, os.environ)}
    os.execve(uv, [str(uv), *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
