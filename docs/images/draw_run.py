"""Draw run.svg: what a terminal shows of a real run.

Use: python docs/images/draw_run.py
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS = 80
COMMAND = "bench run --agent uniform --suite smoke --episodes 10"


def recorded(command: str) -> str:
    """Everything that the command writes to a terminal of COLUMNS columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command.split(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(theirs)
        written = b""
        try:
            while block := os.read(ours, 65536):
                written += block
        except OSError:  # the terminal is closed
            pass
        assert process.wait() == 0
    return written.decode().replace("\r\n", "\n")


def main() -> None:
    """Write one frame of the progress line, then the final report from its tasks on."""
    written = recorded(COMMAND)
    frames = [
        frame
        for frame in re.split(r"\r|\x1b\[2K|\x1b\[1A|\n", written)
        if "playing" in frame and "left" in frame
    ]
    final = re.split(r"\x1b\[\?25h", written)[-1]
    start = final.index("\nSMOKE") + 1
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.assemble(("$ ", "green"), COMMAND))
    console.print(Text.from_ansi(frames[len(frames) * 6 // 10]))
    console.print("...", style="dim")
    console.print(
        Text(re.sub(r"\n{3,}", "\n\n", final[start:].partition("\nrun directory")[0].rstrip()))
    )
    drawn = console.export_svg(title="bench", theme=MONOKAI, unique_id="run")
    # No web fonts: an image in a repository should load nothing from elsewhere.
    drawn = re.sub(
        r"^\s+$", "", re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL), flags=re.MULTILINE
    )
    Path(__file__).with_name("run.svg").write_text(drawn.strip() + "\n")


if __name__ == "__main__":
    main()
