"""How a command line ends: every exit code, errors without tracebacks, suggestions, JSON."""

import json
from collections.abc import Callable

import pytest
import typer

from securewatch.cli.app import main
from securewatch.core import errors
from securewatch.core.errors import EXIT_CODE_MEANINGS, ExitCode, SecurewatchError

Program = Callable[..., int | None]


def raising(error: BaseException) -> Program:
    """A program whose every command ends with this error."""

    def run(*_words: object, **_settings: object) -> int | None:
        raise error

    return run


def giving(code: int | None) -> Program:
    """A program whose every command ends with this exit code."""
    return lambda *_words, **_settings: code


ENDS: list[tuple[ExitCode, Program]] = [
    (ExitCode.DONE, giving(None)),
    (ExitCode.FAILED, raising(errors.Refused("SW405", "the policy says no"))),
    (ExitCode.USAGE, raising(errors.ConfigError("SW102", "a problem"))),
    (ExitCode.CHANGES, giving(ExitCode.CHANGES)),
    (ExitCode.SIGN_IN, raising(errors.SignInNeeded("SW301", "no key"))),
    (ExitCode.WAITING, raising(errors.ShutGate("SW403", "everything is paused"))),
    (ExitCode.ROLLED_BACK, raising(errors.RolledBack("SW503", "taken back"))),
    (ExitCode.CONFLICT, raising(errors.Conflict("SW412", "the tag moved"))),
    (ExitCode.PART_FAILED, raising(errors.PartFailed("SW605", "two of five failed"))),
    (ExitCode.NEEDS_HUMAN, raising(errors.NeedsHuman("SW504", "unknown"))),
    (ExitCode.INTERRUPTED, raising(KeyboardInterrupt())),
]


@pytest.mark.parametrize(("code", "program"), ENDS, ids=[code.name for code, _ in ENDS])
def test_a_command_ends_with_the_exit_code_of_what_happened(code: ExitCode, program: Program) -> None:
    assert main(["doctor"], program) == code


def test_every_exit_code_is_tried_once() -> None:
    assert [code for code, _ in ENDS] == list(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, ExitCode.USAGE),
        (errors.NotFound, ExitCode.USAGE),
        (errors.Retryable, ExitCode.FAILED),
        (errors.Rejected, ExitCode.FAILED),
        (errors.InternalError, ExitCode.FAILED),
    ],
)
def test_the_other_branches_of_the_error_tree_end_by_their_class(error: type[SecurewatchError], code: ExitCode) -> None:
    assert main([], raising(error("SW901", "x"))) == code


def test_a_bug_ends_with_1_and_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor"], raising(RuntimeError("rnd_secret")))

    err = capsys.readouterr().err
    assert code == ExitCode.FAILED
    assert err.startswith("error[SW901]: ")
    assert "Traceback" not in err
    assert "rnd_secret" not in err


def test_a_question_that_is_refused_changes_nothing_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["deploy"], raising(typer.Abort()))

    assert (code, capsys.readouterr().err) == (ExitCode.INTERRUPTED, "nothing was done\n")


def test_an_interrupted_program_claims_nothing_about_work_that_may_never_have_begun(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["deploy"], raising(KeyboardInterrupt()))

    assert capsys.readouterr().err == ""


def test_the_exit_codes_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["help", "exit-codes"])

    lines = [line.strip().split("  ", 1) for line in capsys.readouterr().out.splitlines()]
    assert code == ExitCode.DONE
    assert lines == [[str(int(one)), EXIT_CODE_MEANINGS[one]] for one in ExitCode]


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_without_a_command_the_help_is_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(words)

    out, err = capsys.readouterr()
    assert (code, err) == (ExitCode.DONE, "")
    assert out.startswith("Usage: securewatch [OPTIONS] COMMAND [ARGS]...")


@pytest.mark.parametrize("group", ["customer", "version", "config", "audit"])
def test_a_group_without_a_command_shows_its_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([group])

    assert code == ExitCode.DONE
    assert capsys.readouterr().out.startswith(f"Usage: securewatch {group} ")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["deploy-custmer"], "Did you mean 'deploy-customer'"),
        (["config", "chek"], "Did you mean 'check'"),
        (["deploy-customer", "--custmer", "x"], "--customer"),
        (["help", "exit-code"], "did you mean exit-codes?"),
        (["help", "dctor"], "did you mean doctor"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(
    words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(words)

    err = capsys.readouterr().err
    assert code == ExitCode.USAGE
    assert err.startswith("error[SW201]: ")
    assert wanted in err


def test_a_usage_error_names_the_help_of_that_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["deploy-customer", "--version", "v1.1.0"])

    err = capsys.readouterr().err
    assert "--customer" in err
    assert "  fix   securewatch deploy-customer --help" in err


@pytest.mark.parametrize("flags", [["-o", "json"], ["--output", "json"], ["--output=json"]])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_error_is_json_too_wherever_the_flag_stands(
    flags: list[str], is_first: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*flags, "frobnicate"] if is_first else ["frobnicate", *flags]

    code = main(words)

    data = json.loads(capsys.readouterr().out)
    assert (code, data["exit_code"], data["error"]["code"]) == (2, 2, "SW201")


def test_another_output_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["-o", "yaml", "doctor"])

    assert code == ExitCode.USAGE
    assert "give text or json" in capsys.readouterr().err


def test_the_version_of_the_program_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--version"])

    assert code == ExitCode.DONE
    assert capsys.readouterr().out.count(".") == 2


def test_a_key_on_the_command_line_is_warned_of_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--api-key", "rnd_secret", "--version"])

    out, err = capsys.readouterr()
    assert "`ps`" in err
    assert "rnd_secret" not in out + err
