"""Runs a browser for as long as its owner lives: `python keeper.py READ WRITE COMMAND...`, READ and WRITE being inherited file descriptors.

The browser gets them as its descriptors 3 and 4, where Chromium's --remote-debugging-pipe looks for them, and a fresh profile folder. When
nobody holds the other end of READ any more - the owner is through, or was killed by whatever signal -, or when the browser has ended, every
process of it is killed and the folder removed. The owner sees the browser's end as the end of WRITE.
"""

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile

LOOK_S = 0.2


def main() -> None:
    """Run, wait, clean up."""
    read, write = (fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3])
    os.dup2(read, 3)
    os.dup2(write, 4)
    os.closerange(5, 256)
    folder = tempfile.mkdtemp(prefix="bench-chromium-")
    try:
        command = [*sys.argv[3:], f"--user-data-dir={folder}"]
        environment = {**os.environ, "TMPDIR": folder}
        nothing = subprocess.DEVNULL
        browser = subprocess.Popen(
            command,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            pass_fds=(3, 4),
            start_new_session=True,
            env=environment,
        )
        os.close(4)
        owner = select.poll()
        owner.register(3, 0)  # says nothing but that the other end is closed
        while browser.poll() is None and not owner.poll(LOOK_S * 1000):
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
