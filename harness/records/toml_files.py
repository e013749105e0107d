"""Reading a user's TOML file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from harness.core import UserError

__all__ = ["read_toml"]


def read_toml(file: Path, option: str = "", *, optional: bool = False) -> dict[str, Any]:
    """The content of a file; empty if it is `optional` and does not exist.

    Raises UserError when it cannot be read; its message begins with `option`.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content: dict[str, Any] = tomllib.loads(file.read_text())
    except FileNotFoundError:
        if optional:
            return {}
        raise UserError(f"{option}there is no file {file}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise UserError(f"{option}{file} cannot be read: {fault}") from None
    return content
