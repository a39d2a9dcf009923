"""Notices as people read them: the texts of a dry run, the rows of a list. Prints nothing itself."""

from typing import TYPE_CHECKING

from rich.text import Text

from securewatch.cli.show import instant_or_dash
from securewatch.cli.words import show_instant
from securewatch.rollout.notices import NoticeKind

if TYPE_CHECKING:
    from securewatch.operations.notices import Draft
    from securewatch.rollout.notices import Notice
    from securewatch.store.outbox import Entry

HEADINGS = ("due", "customer", "version", "what", "to", "state", "sent", "tries", "detail")
_KINDS = {
    NoticeKind.CONFIRMATION: "live",
    NoticeKind.ROLLBACK: "taken back",
    NoticeKind.HELD: "held",
    NoticeKind.MOVED: "moved",
}
_COLOURS = {"sent": "green", "failed": "red", "unknown": "magenta", "waiting": "yellow", "not_configured": "dim"}


def draft_lines(draft: "Draft") -> list[str]:
    """One notice in full, as its recipient would read it."""
    notice, letter = draft.notice, draft.letter
    head = [f"to:      {draft.to}", f"due:     {show_instant(notice.due_at)}", f"subject: {letter.subject}", ""]
    return [*head, *(f"  {line}".rstrip() for line in letter.body.splitlines())]


def entry_row(entry: "Entry") -> tuple[str | Text, ...]:
    """One row of the list; no address is in it."""
    notice, state = entry.notice, entry.state.value
    again = f"again at {show_instant(entry.next_at)}" if entry.delivery.reason and entry.next_at is not None else ""
    return (
        show_instant(notice.due_at),
        notice.slug,
        notice.version or "-",
        show_kind(notice),
        notice.recipient.value,
        Text(state.replace("_", " "), style=_COLOURS.get(state, "")),
        instant_or_dash(entry.delivery.sent_at),
        str(entry.tries),
        "; ".join(filter(None, (entry.delivery.reason, again))),
    )


def show_kind(notice: "Notice") -> str:
    """What a notice tells, in a word or two: `live`, `7 days ahead`, `today`."""
    if notice.kind is not NoticeKind.ADVANCE:
        return _KINDS[notice.kind]
    days = (notice.facts.at - notice.due_at).days
    return "today" if days == 0 else f"{days} day{'' if days == 1 else 's'} ahead"
