"""The frontend's build: a static page with the version in it. As with Vite, the env vars of the build are baked in."""

import json
from collections.abc import Mapping
from html import escape

from .release import Release

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="version" content="{version}">
<title>SecureWatch</title>
</head>
<body>
<h1>SecureWatch</h1>
<p>Version {version} for {customer}, configured as {tag}.</p>
</body>
</html>
"""


def build_pages(release: Release, env: Mapping[str, str]) -> dict[str, bytes]:
    """The files of the site by name, for a release and the env vars of the build."""
    page = _PAGE.format(
        version=escape(release.version),
        customer=escape(env.get("VITE_CUSTOMER_SLUG") or "nobody"),
        tag=escape(env.get("VITE_VERSION_TAG") or "nothing"),
    )
    version = {"version": release.version, "commit": env.get("RENDER_GIT_COMMIT", "")}
    return {"index.html": page.encode(), "version.json": json.dumps(version).encode()}
