"""Scripts, styles and data inside one HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import UserError

__all__ = ["Asset", "as_json", "environment", "policy", "scripts", "styles"]

HERE = Path(__file__).resolve().parent
VENDOR = ("d3.min.js", "plot.umd.min.js", "jquery.min.js", "dataTables.min.js")
"""Libraries that come with bench, each with its licence beside it."""


class Asset(str):
    """The text of a script or a style that comes with bench, to be written as it is."""

    def __html__(self) -> str:
        """For jinja2, which escapes all other texts."""
        return str(self)


@functools.lru_cache(1)
def environment() -> Any:
    """The templates, every value of which is escaped. Raises UserError without jinja2."""
    try:
        import jinja2
    except ImportError:
        raise UserError(
            "pages need the package jinja2: pip install 'generalist-bench[page]'"
        ) from None
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@functools.lru_cache(4)
def scripts(*own: str) -> tuple[Asset, ...]:
    """The libraries, then our own scripts: those of every page, and these."""
    files = [HERE / "vendor" / name for name in VENDOR]
    files += [HERE / "assets" / name for name in ("figures.js", "page.js", *own)]
    # A script inside a page ends at the first </script>, whatever it is part of.
    return tuple(Asset(file.read_text("utf-8").replace("</script", "<\\/script")) for file in files)


@functools.lru_cache(1)
def styles() -> Asset:
    """The style sheet."""
    return Asset((HERE / "assets" / "page.css").read_text("utf-8"))


def policy(used: Sequence[str], media: str = "data:") -> str:
    """A Content-Security-Policy under which only these scripts run and nothing is fetched."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'"
        for each in used
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        f"media-src {media}; base-uri 'none'; form-action 'none'"
    )


def as_json(data: Mapping[str, Any]) -> Asset:
    """Data for a script of the page. No text in it can end the element that holds it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Asset(text)
