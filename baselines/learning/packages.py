"""Whether the packages are installed that an agent needs. It imports none of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from harness.core import UserError

__all__ = ["need_packages"]


def need_packages(agent: str, packages: Iterable[str], extra: str) -> None:
    """Raises UserError, with the extra of the distribution to install, when one is missing."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"{agent} needs the package {package}: pip install 'generalist-bench[{extra}]'"
            )
