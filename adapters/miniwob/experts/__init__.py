"""The scripts that play MiniWoB++ pages as an expert. They read the page by JavaScript, what it hides included, and act as any agent does."""

from adapters.miniwob.experts import apps, clicks, drags, forms
from adapters.miniwob.experts.look import Expert

__all__ = ["EXPERTS", "Expert"]

EXPERTS = {**clicks.EXPERTS, **forms.EXPERTS, **drags.EXPERTS, **apps.EXPERTS}
"""A new script for an episode, by the page's name."""
