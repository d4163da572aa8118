from io import StringIO
from pathlib import Path

from deploy.local.logs import LogStream


def followed(path: Path) -> tuple[LogStream, StringIO]:
    out = StringIO()
    stream = LogStream(out)
    stream.add({"ledger": path})
    return stream, out


def test_a_line_has_its_process_in_front(tmp_path: Path) -> None:
    log = tmp_path / "ledger.log"
    stream, out = followed(log)
    log.write_text("batch of 200\n", encoding="utf-8")

    stream.print_new()

    assert out.getvalue() == "ledger │ batch of 200\n"


def test_what_was_there_before_is_not_printed(tmp_path: Path) -> None:
    log = tmp_path / "ledger.log"
    log.write_text("yesterday\n", encoding="utf-8")
    stream, out = followed(log)

    stream.print_new()

    assert out.getvalue() == ""


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "ledger.log"
    stream, out = followed(log)
    log.write_text("on ha", encoding="utf-8")
    stream.print_new()
    with log.open("a", encoding="utf-8") as more:
        more.write("nd 3\n")

    stream.print_new()

    assert out.getvalue() == "ledger │ on hand 3\n"


def test_a_log_that_was_emptied_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "ledger.log"
    stream, out = followed(log)
    log.write_text("a long line before the limit\n", encoding="utf-8")
    stream.print_new()
    log.write_text("after\n", encoding="utf-8")

    stream.print_new()

    assert out.getvalue().splitlines()[-1] == "ledger │ after"
