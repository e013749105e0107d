"""The method of GEA (arXiv 2412.08442): demonstrations, then PPO. See docs/gea.md.

`weights/gea-state` is a `nano` model that recipes/nano.sh made, and `weights/gea-base` the same
model before PPO; `weights/gea` is `gea-state` with eyes, which recipes/sees.sh and
recipes/games.sh made. Their model card is weights/README.md.
"""

from baselines.gea.agent import GEA, GEABase, GEAServed, GEAState

__all__ = ["GEA", "GEABase", "GEAServed", "GEAState"]
