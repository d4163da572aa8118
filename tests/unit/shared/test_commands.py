import pytest

from shared.commands import carried_out
from shared.errors import Stopped


async def _command(outcome: int | Exception) -> int:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def test_a_command_has_its_own_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert carried_out(_command(2)) == 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Stopped("two levels are not published yet"), "two levels are not published yet\n"),
        (
            ConnectionRefusedError("[Errno 111]"),
            "the database cannot be reached; look at LOWTIDE_DATABASE_URL, and whether it runs\n",
        ),
    ],
    ids=["stopped", "database away"],
)
def test_what_stands_in_its_way_is_told_in_a_line(
    error: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert carried_out(_command(error)) == 1
    assert capsys.readouterr() == ("", told)


def test_what_nobody_expects_is_told_in_full() -> None:
    with pytest.raises(KeyError):
        carried_out(_command(KeyError("such a name")))
