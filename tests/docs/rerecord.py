"""Bring the printed lines of pages up to date: `python tests/docs/rerecord.py docs/ci.md ...`.

Runs every console block as tests/docs/test_docs.py does. A shown line that is not printed any
more, but has a printed counterpart with other numbers, is replaced by it. Read the difference
before it is committed.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from printed import commands, loosely, masked_output, place, run


def rerecord(page: Path) -> int:
    """The number of lines that were replaced."""
    text, replaced = page.read_text(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            language, lines = block[0], block[1].splitlines()
            if language in ("python", "toml"):
                file = lines[0].removeprefix("# file: ")
                (folder / file).write_text("\n".join(lines[1:]) + "\n")
            if language != "console":
                continue
            new = block[1]
            for command, code, shown in commands(lines):
                got, printed = run(command, folder)
                if got != code:
                    print(f"{page}: exit {got}: {command}", *printed[-5:], sep="\n")
                start, outputs = 0, masked_output(printed)
                for line in shown:
                    if line.strip() in ("", "..."):
                        continue
                    found = place(line, printed, outputs, start)
                    if found is None:
                        alike = [loosely(each) for each in printed]
                        if loosely(line) not in alike[start:]:
                            print(f"{page}: {command}: nothing like {line!r}")
                            continue
                        found = alike.index(loosely(line), start)
                        new = new.replace(f"{line}\n", f"{printed[found].rstrip()}\n", 1)
                        replaced += 1
                    start = found + 1
            text = text.replace(block[1], new, 1)
    page.write_text(text)
    return replaced


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(argument, rerecord(Path(argument).resolve()), "lines")
