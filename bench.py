"""The public face: `import bench` is the Python API, `bench:main` the command line. No logic."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PACKAGES = ("harness", "suites", "adapters", "baselines", "leaderboards")


def _intruder() -> str | None:
    """A package of somebody else that hides one of ours: said before anything of ours is imported."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parent.parent != ROOT:
            return f"the package {name!r} resolves to {spec.origin if spec else 'nothing'} instead of {ROOT / name}: remove or rename the other one"
    return None


def main() -> None:
    """The console script."""
    hides = _intruder()
    if hides is not None:
        print(f"bench: {hides}", file=sys.stderr)
        raise SystemExit(2)
    from harness.cli.app import main as run_command

    run_command()


if __name__ == "__main__":
    main()
