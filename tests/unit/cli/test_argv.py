"""Global flags may stand anywhere on the line."""

import pytest

from securewatch.cli.argv import hoist


@pytest.mark.parametrize(
    ("line", "hoisted"),
    [
        ("doctor", "doctor"),
        ("doctor -o json", "-o json doctor"),
        ("why --customer demo --output json", "--output json why --customer demo"),
        ("why --output=json --customer demo", "--output=json why --customer demo"),
        ("--api-key k deploy --config d", "--api-key k --config d deploy"),
        ("deploy --yes --version v1", "--yes deploy --version v1"),
        ("deploy -y", "-y deploy"),
        ("deploy --confirm", "--confirm deploy"),
        ("deploy --dry-run --version v1", "deploy --dry-run --version v1"),
        ("customer show -- -o json", "customer show -- -o json"),
        ("doctor -o", "doctor -o"),
        ("", ""),
    ],
)
def test_global_flags_come_first_and_the_rest_keeps_its_order(line: str, hoisted: str) -> None:
    assert hoist(line.split()) == hoisted.split()


def test_a_value_that_looks_like_a_command_stays_with_its_flag() -> None:
    assert hoist(["why", "--config", "doctor"]) == ["--config", "doctor", "why"]
