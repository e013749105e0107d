"""Runs a browser for as long as its owner lives: `python keeper.py READ WRITE COMMAND...`.

READ and WRITE are inherited file descriptors. The browser gets them as its descriptors 3 and 4,
where Chromium's --remote-debugging-pipe expects them, and TMPDIR for its profile. When nobody holds
the other end of READ any more, because the owner has closed it or was killed by any signal, or when
the browser has ended, all processes of the browser are killed and the folder is removed. The owner
sees the end of the browser as the end of WRITE. If this process is killed, the browser is, too.
"""

import contextlib
import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time

POLL_S = 0.2
ENDING_S = 5.0


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def remove(folder: str) -> None:
    """Remove the browser's folder, again while its dying processes still write to it."""
    until = time.monotonic() + ENDING_S
    gone = False
    while time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
        if gone and not os.path.exists(folder):
            return
        gone = not os.path.exists(folder)
        time.sleep(0.02)


def main() -> None:
    """Run the browser, wait for its end or the owner's, and clean up."""
    # First out of the way, to 10 and above: they may be 3 or 4 themselves.
    read, write = (fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3])
    os.dup2(read, 3)
    os.dup2(write, 4)
    os.closerange(5, 256)
    folder = os.environ["TMPDIR"]
    try:
        command = [*sys.argv[3:], f"--user-data-dir={folder}"]
        nothing = subprocess.DEVNULL
        browser = subprocess.Popen(
            command,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            pass_fds=(3, 4),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        os.close(4)
        owner = select.poll()
        owner.register(3, 0)  # reports nothing but that the other end is closed
        while browser.poll() is None and not owner.poll(POLL_S * 1000):
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
    finally:
        remove(folder)


if __name__ == "__main__":
    main()
