"""The public face: `import bench` is the Python API, `bench:main` starts the command line.

Names are loaded when they are used: `import bench` imports nothing heavy. See docs/python.md.
"""

from __future__ import annotations

import importlib
import importlib.util
import signal
import sys
from pathlib import Path
from typing import Any

_API = {
    "evaluate": "harness.cli.api",
    "compare": "harness.cli.api",
    "load_run": "harness.cli.api",
    "load_suite": "harness.cli.api",
    "check_adapter": "harness.cli.checks",
    "check_agent": "harness.cli.checks",
    "Adapter": "harness.core",
    "Agent": "harness.core",
    "Answer": "harness.core",
    "Case": "harness.core",
    "Suite": "harness.core",
    "Task": "harness.core",
    "Turn": "harness.core",
    "UserError": "harness.core",
}
__all__ = [*_API, "main"]

_ROOT = Path(__file__).resolve().parent
_PACKAGES = ("harness", "suites", "adapters", "baselines", "leaderboards")


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    _refuse_intruders()
    value = getattr(importlib.import_module(_API[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})


def _refuse_intruders() -> None:
    """Raise ImportError where a package of somebody else hides one of ours."""
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if (
            spec is None
            or spec.origin is None
            or Path(spec.origin).resolve().parent.parent != _ROOT
        ):
            found = spec.origin if spec else "nothing"
            raise ImportError(
                f"the package {name!r} resolves to {found} instead of {_ROOT / name}: "
                "remove or rename the other one"
            )


def main(*, supervise: bool = True) -> None:
    """The console script. `supervise`: run foreign code in a child process."""
    if supervise:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # A request to end is answered like Ctrl-C; what the caller has us ignore stays so.
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)
    try:
        _refuse_intruders()
        from harness.cli.app import main as run_command

        run_command(supervise=supervise)
    except ImportError as hidden:
        print(f"bench: {hidden}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
