"""The contract suites are never left out in silence where it counts."""

from pathlib import Path

import pytest

from tests.contract.render_data import require_data


def test_without_the_data_the_suites_are_skipped_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"set RENDER_CONTRACT_DATA"):
        require_data({"RENDER_CONTRACT_DATA": str(tmp_path)})


def test_without_the_data_a_build_server_fails(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"no render-openapi\.json and no render-recordings\.jsonl"):
        require_data({"RENDER_CONTRACT_DATA": str(tmp_path), "CI": "true"})
