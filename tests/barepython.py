"""A Python with little installed, for adapters in another interpreter."""

import subprocess
import sys
import sysconfig
from pathlib import Path


def make_bare(folder: Path) -> str:
    """Make a virtual environment with numpy and msgpack alone; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for package in ("numpy", "numpy.libs", "msgpack"):
        (packages / package).symlink_to(Path(sysconfig.get_path("platlib")) / package)
    return str(folder / "bin" / "python")
