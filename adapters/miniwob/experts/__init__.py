"""The scripts that play MiniWoB++ pages as an expert.

They read the page by JavaScript, including what it hides, and act as any agent does. Where the
docstring of a script quotes sentences, they are utterances of its pages.
"""

from adapters.miniwob.experts import apps, clicks, drags, forms
from adapters.miniwob.experts.look import Expert

__all__ = ["EXPERTS", "Expert"]

EXPERTS = {**clicks.EXPERTS, **forms.EXPERTS, **drags.EXPERTS, **apps.EXPERTS}
"""The page's name -> a function that makes the script for one episode."""
