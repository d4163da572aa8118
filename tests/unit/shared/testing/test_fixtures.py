from pathlib import Path

import pytest

from shared.testing.fixtures import ask_for_servers


@pytest.mark.parametrize(
    ("folder", "chosen", "asked_for"),
    [
        (".", ["tests/unit"], False),
        (".", ["tests/unit/shared/test_a.py::test_b[c::d]", "tests/unit/deploy"], False),
        ("tests/unit", ["shared"], False),
        (".", ["tests"], True),
        (".", ["tests/unit", "tests/contract"], True),
        (".", ["tests/unit/../integration"], True),
        ("tests", ["integration/test_a.py::test_b"], True),
    ],
)
def test_a_run_of_unit_tests_alone_starts_no_servers(
    tmp_path: Path, folder: str, chosen: list[str], asked_for: bool
) -> None:
    assert ask_for_servers(chosen, tmp_path / folder, tmp_path) is asked_for
