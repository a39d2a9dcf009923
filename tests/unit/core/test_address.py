"""Which hosts are this machine."""

import pytest

from securewatch.core.address import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("0.0.0.0", False),
        ("x.io", False),
    ],
)
def test_loopback_is_told_by_name_or_address(host: str, expected: bool) -> None:
    assert expected is is_loopback(host)
