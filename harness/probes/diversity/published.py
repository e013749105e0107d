"""The same comparison in print: GEA with 0.5 billion parameters, success in %.

arXiv 2412.08442, table 4. "All" is supervised fine-tuning on all domains, "own" on the domain that
is played. One training each; its figure 6 gives the spread of three seeds as 0.8 to 3.3 points.
"""

from __future__ import annotations

__all__ = ["ALL", "DOMAINS", "INITIALISED", "OWN"]

DOMAINS = ("Habitat Pick", "CALVIN", "Procgen", "AndroidControl", "BabyAI")
ALL = (57.0, 48.0, 24.5, 50.5, 84.7)
OWN = (54.5, 35.5, 23.7, 48.9, 82.1)
INITIALISED = {
    "all": ALL,
    "language": (9.5, 0.0, 7.6, 26.4, 49.4),
    "vision": (34.5, 13.0, 24.5, 28.3, 70.6),
    "none": (9.0, 0.0, 7.4, 14.1, 44.4),
}
"""By which part of the backbone kept its weights, trained on all data."""
