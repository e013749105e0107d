"""The method of GEA (arXiv 2412.08442): demonstrations, then PPO. See docs/gea.md.

`weights/gea` is a `nano` model that recipes/nano.sh made, and `weights/gea-base` the same model
before PPO; `weights/gea-sees` is `gea` with eyes, which recipes/sees.sh made. Their model card is
weights/README.md.
"""

from baselines.gea.agent import GEA, GEABase, GEASees, GEAServed

__all__ = ["GEA", "GEABase", "GEASees", "GEAServed"]
