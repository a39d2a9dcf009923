"""`python -m app` serves the backend; `python -m app build FOLDER` builds the application, its site into the folder."""

import os
import sys
from pathlib import Path

from .backend import Backend
from .records import Records
from .release import FILE_NAME, parse_release
from .server import serve
from .site import build_pages


def main(arguments: list[str]) -> int:
    """Run one of the two commands; gives the exit code."""
    env = dict(os.environ)  # noqa: TID251 - the application's own settings; the platform's rules end at its door
    release = parse_release((Path(__file__).parent.parent / FILE_NAME).read_text(encoding="utf-8"))
    if arguments[:1] == ["build"]:
        if not release.builds:
            return 1
        folder = Path(arguments[1])
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in build_pages(release, env).items():
            (folder / name).write_bytes(content)
        return 0
    if not release.starts:
        return 1
    url = env.get("DATABASE_URL", "")
    records = Records(release, url)
    serve(Backend(release, env, lambda _: records.check()), records if url else None, int(env["PORT"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
