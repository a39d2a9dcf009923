"""The shells' completion, as a shell asks for it."""

import pytest

from securewatch.cli.app import main


def completed(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What bash is offered for the last word of a line."""
    monkeypatch.setenv("_SECUREWATCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_SECUREWATCH_COMPLETE", f"source_{shell}")

    with pytest.raises(SystemExit) as ended:
        main([])

    assert ended.value.code == 0
    assert f"_SECUREWATCH_COMPLETE=complete_{shell}" in capsys.readouterr().out


def test_commands_are_offered_and_aliases_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed("securewatch depl", monkeypatch, capsys) == [
        "deploy-customer",
        "deploy-customers",
        "deploy-batch",
    ]


def test_flags_of_the_command_are_offered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert completed("securewatch deploy-customer --de", monkeypatch, capsys) == ["--detailed-exitcode", "--detach"]
