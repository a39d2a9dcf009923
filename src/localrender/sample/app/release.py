"""What one release is: the file `release.json` beside the application. A flaw of a release is written there."""

import json
from dataclasses import asdict, dataclass

FILE_NAME = "release.json"
FIRST_COLUMNS = ("orders.amount", "orders.note")
"""What the code of the first releases needs to find in the database."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release: its version without a leading v, and its flaws.

    A release with `builds` false fails to build, with `starts` false it ends as soon as it is started, and with
    `healthy_answers` it is healthy for that many health checks after its start and unhealthy from then on; that shows
    on customers' own data alone, so not on the samples of those `spared` (by `CUSTOMER_SLUG`). Its code needs the
    `columns`, each `table.column`; a migration of the release, or of a later one, changes which there are.
    """

    version: str
    builds: bool = True
    starts: bool = True
    healthy_answers: int | None = None
    spared: tuple[str, ...] = ()
    columns: tuple[str, ...] = FIRST_COLUMNS

    def to_text(self) -> str:
        """The contents of `release.json`."""
        return json.dumps(asdict(self), indent=2) + "\n"


def parse_release(text: str) -> Release:
    """The release that the contents of `release.json` describe. Raises ValueError or KeyError when they are none."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("a release is a JSON object")  # noqa: TRY004 - the text is wrong, not a type of ours
    answers = raw.get("healthy_answers")
    return Release(
        version=str(raw["version"]),
        builds=bool(raw.get("builds", True)),
        starts=bool(raw.get("starts", True)),
        healthy_answers=None if answers is None else int(answers),
        spared=tuple(str(one) for one in raw.get("spared", ())),
        columns=tuple(str(one) for one in raw.get("columns", FIRST_COLUMNS)),
    )
