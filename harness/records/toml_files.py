"""Reading a user's TOML file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.records.safe_files import read_regular

__all__ = ["read_toml"]

MOST_BYTES = 8 << 20


def read_toml(file: Path, option: str = "", *, optional: bool = False) -> dict[str, Any]:
    """The content of a file; empty if it is `optional` and does not exist.

    Raises UserError when it cannot be read; its message begins with `option`.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content: dict[str, Any] = tomllib.loads(read_regular(file, MOST_BYTES).decode())
    except FileNotFoundError:
        if optional:
            return {}
        raise UserError(f"{option}there is no file {file}") from None
    except UserError as refused:
        raise UserError(f"{option}{refused}") from None
    except (ValueError, RecursionError) as fault:  # TOML's own errors are ValueErrors
        raise UserError(f"{option}{file} cannot be read: {fault}") from None
    return content
