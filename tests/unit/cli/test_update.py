"""The directions of `update-customer` and their flags: what contradicts itself is refused before anything is read."""

import pytest

from securewatch.cli.app import main

UPDATE = ("--version", "v1.1.0", "--customer", "acme-corp")
BACK = ("--rollback", "v1.0.0", "--customer", "acme-corp")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--customer", "acme-corp"), "forward to a version, or back to one?"),
        ((*UPDATE, "--rollback", "v1.0.0"), "forward to a version, or back to one?"),
        (("--rollback", "v1.0.0"), "which customer is to go back?"),
        ((*UPDATE, "--restore-database"), "--restore-database does not go with --version"),
        ((*UPDATE, "--backup", "acme-corp/one.swbackup"), "--backup does not go with --version"),
        ((*UPDATE, "--at", "2026-12-01T10:00Z"), "--at does not go with --version"),
        ((*UPDATE, "--confirm-customer", "acme-corp"), "--confirm-customer does not go with --version"),
        ((*BACK, "--force"), "--force does not go with --rollback"),
        ((*BACK, "--wait"), "--wait does not go with --rollback"),
        ((*BACK, "--timeout", "15m"), "--timeout does not go with --rollback"),
        ((*BACK, "--backup", " "), "--backup"),
        ((*UPDATE, "--wait", "--detach"), "--wait and --detach contradict each other"),
        ((*UPDATE, "--detailed-exitcode"), "--detailed-exitcode goes with --dry-run only"),
        ((*UPDATE, "--timeout", "soon"), "--timeout cannot be 'soon'"),
    ],
)
def test_flags_that_say_nothing_together_are_refused(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["update-customer", *words])

    err = capsys.readouterr().err
    assert code == 2
    assert "error[SW201]" in err
    assert said in err


def test_without_a_customer_the_command_for_many_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["update-customer", "--version", "v1.1.0"])

    assert code == 2
    assert "securewatch rollout start --version v1.1.0" in capsys.readouterr().err
