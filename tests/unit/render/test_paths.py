"""Paths are built from identifiers only."""

import pytest

from securewatch.render.errors import RequestRejected
from securewatch.render.paths import path_to, path_to_env_var


def test_a_path_is_made_of_its_parts() -> None:
    assert path_to("services", "srv-acme-backend-abc123", "deploys") == "/services/srv-acme-backend-abc123/deploys"
    assert path_to_env_var("srv-1", "MY.KEY_1") == "/services/srv-1/env-vars/MY.KEY_1"


@pytest.mark.parametrize("part", ["", "..", "srv-1/../../owners", "srv 1", "srv-1?x=1", "srv-1#", "srv%2f1", "ä"])
def test_nothing_else_gets_into_a_path(part: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        path_to("services", part)

    assert caught.value.status is None


@pytest.mark.parametrize("key", ["", "..", "../x", "A/B", "A B", "1A", "A=1"])
def test_nothing_else_gets_into_the_path_of_an_env_var(key: str) -> None:
    with pytest.raises(RequestRejected):
        path_to_env_var("srv-1", key)
