"""Gives many hostile files to the commands that read such files, all in one process.

`python hostilereader.py JOBS RESULTS`: JOBS is a JSON list of tables with `command`, a list of
words, and `cwd`; RESULTS gets the same tables with what came of each.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

ALARM_S = 60
"""A hang becomes a failure after this long."""


def read_all(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each command to the command line, and say what came of it."""
    import typer.main

    from harness.cli.app import main

    # Half of the time would go into building the commands anew.
    typer.main.get_command = functools.cache(typer.main.get_command)
    found = []
    for job in jobs:
        os.chdir(job["cwd"])
        out, err = io.StringIO(), io.StringIO()
        sys.argv = ["bench", *job["command"]]
        begun = time.monotonic()
        signal.alarm(ALARM_S)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main(supervise=False)
            code: Any = 0
        except SystemExit as ended:
            code = ended.code
        except BaseException:
            code = traceback.format_exc()
        finally:
            signal.alarm(0)
        found.append(
            {
                **job,
                "code": code,
                "out": len(out.getvalue()),
                "err": err.getvalue()[-3000:],
                "seconds": time.monotonic() - begun,
                "peak": peak_mb(),
            }
        )
    return found


def peak_mb() -> int:
    """The most memory that this program held.

    Not ru_maxrss, in which a program inherits the size of the process that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def hang(number: int, frame: object) -> None:
    raise TimeoutError("it hangs")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, hang)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    jobs_file, results_file = map(Path, sys.argv[1:3])
    results_file.write_text(json.dumps(read_all(json.loads(jobs_file.read_text()))))
