"""Reading a user's TOML file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.records.safe_files import read_regular

__all__ = ["read_toml"]

MOST_BYTES = 8 << 20
_DOTTED = re.compile(rb"""(?<![\w"'-])(?:[\w"'-]+[ \t]*\.[ \t]*){64}""")
"""A key of 64 parts or more, for which Python's reader takes seconds and more."""


def read_toml(file: Path, option: str = "", *, optional: bool = False) -> dict[str, Any]:
    """The content of a file; empty if it is `optional` and does not exist.

    Raises UserError when it cannot be read; its message begins with `option`.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = read_regular(file, MOST_BYTES)
        if _DOTTED.search(text):
            raise ValueError("it has a name of 64 parts or more with dots between them")
        content: dict[str, Any] = tomllib.loads(text.decode())
    except FileNotFoundError:
        if optional:
            return {}
        raise UserError(f"{option}there is no file {file}") from None
    except UserError as refused:
        raise UserError(f"{option}{refused}") from None
    except (ValueError, RecursionError) as fault:  # TOML's own errors are ValueErrors
        raise UserError(f"{option}{file} cannot be read: {fault}") from None
    return content
