"""Files that appear as a whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from harness.records.whole_file import write_whole


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    for name in ("a.mp4", ".a.mp4.new"):
        (tmp_path / name).symlink_to(tmp_path / "target")
    write_whole(tmp_path / "a.mp4", b"video")
    assert (tmp_path / "a.mp4").read_bytes() == b"video"
    assert not (tmp_path / "a.mp4").is_symlink()
    assert (tmp_path / "target").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "target"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_device_stays_a_device() -> None:
    """As root, a rename would put a file in the place of /dev/null, for every other program."""
    here = os.listdir("/dev")
    write_whole(Path("/dev/null"), b"video")
    with pytest.raises(OSError, match="No space left"):
        write_whole(Path("/dev/full"), b"video")
    assert os.listdir("/dev") == here
    for name in ("/dev/null", "/dev/full"):
        assert stat.S_ISCHR(os.stat(name).st_mode)


def test_stdout_is_written_to(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_whole(Path("/dev/stdout"), b"video")
    assert capfdbinary.readouterr().out == b"video"
    assert Path("/dev/stdout").is_symlink()
