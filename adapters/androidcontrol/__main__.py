"""`python -m adapters.androidcontrol FOLDER [TO]`: prepare a download of AndroidControl, once.

The prepared data go to the folder TO, or to FOLDER itself.
"""

import sys
from pathlib import Path

from adapters.androidcontrol.data import prepare
from harness.core import UserError


def main(arguments: list[str]) -> int:
    """Prepare the data; returns exit code 0, or 2 on wrong arguments or unusable data."""
    if len(arguments) not in (1, 2):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        sys.stdout.write(f"{prepare(Path(arguments[0]), Path(arguments[-1]))}\n")
    except (UserError, OSError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
