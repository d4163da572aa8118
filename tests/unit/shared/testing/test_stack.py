import os
from pathlib import Path

import pytest

from shared.testing import stack
from shared.testing.stack import STALE_AFTER_S, delete_stale


def test_what_another_run_deletes_meanwhile_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to nowhere is seen in the folder and is not there when it is looked at."""
    monkeypatch.setenv("LOWTIDE_HOME", str(tmp_path))
    monkeypatch.setattr(stack, "_MEMORY", tmp_path)
    on_disk = tmp_path / "instances"
    on_disk.mkdir()
    stale = [on_disk / "test-2", tmp_path / "lowtide-test-2"]
    for folder in stale:
        folder.mkdir()
        long_ago = folder.stat().st_mtime - 2 * STALE_AFTER_S
        os.utime(folder, (long_ago, long_ago))
        for number in (1, 3):
            folder.with_name(folder.name.replace("2", str(number))).symlink_to("nowhere")

    delete_stale()

    assert not any(folder.exists() for folder in stale)
