"""Which ways there are to people, which are missing, and that none of them shows its secret."""

from pathlib import Path

import pytest

from securewatch.config.settings import load_settings
from securewatch.notify.channels import MAIL_FOLDER, NO_CONTACT, Channels, addressed
from securewatch.rollout.notices import RecipientKind

CUSTOMER, TEAM = RecipientKind.CUSTOMER, RecipientKind.TEAM
CHAT, MAIL = "slack://TokenA/TokenB/TokenC", "mailtos://user:hunter2@vendor.example?to=all@vendor.example,b@c.example"
REQUIRED = {"slack_webhook": "required", "email_alerts": "required", "customer_notification": "required"}


def channels(folder: Path, **environ: str) -> Channels:
    return Channels.of(load_settings({}, folder, {f"SECUREWATCH_{name}": text for name, text in environ.items()}))


def test_the_team_has_a_way_for_each_url_and_a_comma_inside_one_separates_nothing(tmp_path: Path) -> None:
    found = channels(tmp_path, NOTIFY_TEAM=f"{CHAT} , {MAIL},").to(TEAM, None)

    assert [(one.name, one.target) for one in found] == [("slack", CHAT), ("mailtos", MAIL)]


def test_a_customer_is_reached_at_its_contact_alone(tmp_path: Path) -> None:
    found = channels(tmp_path, NOTIFY_EMAIL="mailto://u:p@h.example/x@y.example?to=z@y.example&from=a+b@h.example")

    (way,) = found.to(CUSTOMER, "dana+ops@acme.example")

    assert way.address == "dana+ops@acme.example"
    assert way.target == "mailto://u:p@h.example/?from=a+b@h.example&to=dana%2Bops%40acme.example"
    assert (found.to(CUSTOMER, None), found.why_not(CUSTOMER, None)) == ((), NO_CONTACT)


def test_an_address_cannot_add_to_the_url() -> None:
    target = addressed("mailto://u:p@h.example", "a@b.example&bcc=x@y.example#,c@d.example")

    assert target == "mailto://u:p@h.example/?to=a%40b.example%26bcc%3Dx%40y.example%23%2Cc%40d.example"


def test_with_a_mail_folder_everything_goes_there_and_nothing_is_missing(tmp_path: Path) -> None:
    found = channels(tmp_path, NOTIFY_TEAM=CHAT, NOTIFY_EMAIL=MAIL, MAIL_FOLDER="mail")

    for recipient, address in ((TEAM, "team"), (CUSTOMER, "dana@acme.example")):
        (way,) = found.to(recipient, "dana@acme.example")
        assert (way.name, way.target, way.address) == (MAIL_FOLDER, str(tmp_path / "mail"), address)
    assert found.missing(REQUIRED) == ()


def test_without_any_way_it_is_told_what_to_set(tmp_path: Path) -> None:
    found = channels(tmp_path)

    assert (found.to(TEAM, None), found.to(CUSTOMER, "a@b.example")) == ((), ())
    assert found.why_not(TEAM, None) == "neither SECUREWATCH_NOTIFY_TEAM nor SECUREWATCH_MAIL_FOLDER is set"
    assert found.why_not(CUSTOMER, "a@b.example").startswith("neither SECUREWATCH_NOTIFY_EMAIL")


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, ["slack_webhook", "email_alerts", "customer_notification"]),
        ({"NOTIFY_TEAM": CHAT}, ["email_alerts", "customer_notification"]),
        ({"NOTIFY_TEAM": MAIL}, ["slack_webhook", "customer_notification"]),
        ({"NOTIFY_TEAM": f"{CHAT},{MAIL}", "NOTIFY_EMAIL": MAIL.partition(",")[0]}, []),
    ],
)
def test_what_the_files_require_and_the_settings_lack_is_named(
    environ: dict[str, str], missing: list[str], tmp_path: Path
) -> None:
    found = channels(tmp_path, **environ)

    assert [one.split()[0] for one in found.missing(REQUIRED)] == missing
    assert found.missing(dict.fromkeys(REQUIRED, "optional") | {"customer_notification": "conditional"}) == ()


def test_no_secret_shows(tmp_path: Path) -> None:
    found = channels(tmp_path, NOTIFY_TEAM=f"{CHAT},{MAIL}", NOTIFY_EMAIL="mailto://u:hunter2@h.example")

    shown = f"{found!r} {found.to(TEAM, None)!r} {found.to(CUSTOMER, 'dana@acme.example')!r} {found.missing(REQUIRED)}"

    assert not any(word in shown for word in ("Token", "hunter2", "dana@"))
