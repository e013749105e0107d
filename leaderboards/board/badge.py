"""A badge for each entry and suite: an SVG that a README can show. It never shows a bare rank."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from leaderboards.board.model import Row
from leaderboards.submissions.texts import slug
from leaderboards.tables import percent

__all__ = ["badge", "badge_link", "badge_text"]

WIDTH_OF_LETTER = 6.6
"""Pixels, of a font with 11 pixels; the text is fitted to what is computed."""
RANKED, APART = "#1f5fae", "#5f6770"


def badge_link(row: Row) -> str:
    """Where it lies, relative to the root of the site."""
    return f"badges/{row.entry.id}--{slug(row.suite) or 'suite'}.svg"


def badge_text(row: Row) -> str:
    """`babyai: 25.5 % (7.7 to 58.3)`, or why there is no rank before the figure."""
    found = row.figure
    said = ""
    if found is not None and row.measure == "success":
        said = f"{percent(found.value)} %"
        if found.low is not None and found.high is not None:
            said += f" ({percent(found.low)} to {percent(found.high)})"
    elif found is not None:
        said = f"{found.value:.3f}"
        if found.low is not None and found.high is not None:
            said += f" ({found.low:.3f} to {found.high:.3f})"
    return f"{row.suite}: {', '.join(filter(None, (row.apart, said)))}"


def badge(row: Row) -> str:
    """The SVG."""
    name, _, value = badge_text(row).partition(": ")
    left, right = (round(len(each) * WIDTH_OF_LETTER) + 12 for each in (name, value))
    colour = APART if row.apart else RANKED
    title = f"{row.entry.name}, {badge_text(row)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f"aria-label={quoteattr(title)}><title>{escape(title)}</title>"
        f'<rect width="{left}" height="20" fill="#30363d"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="6" y="14" textLength="{left - 12}">{escape(name)}</text>'
        f'<text x="{left + 6}" y="14" textLength="{right - 12}">{escape(value)}</text></g></svg>\n'
    )
