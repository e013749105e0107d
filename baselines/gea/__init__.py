"""GEA (arXiv 2412.08442): the method, trained here on demonstrations and by trying, with a backbone of your own or `nano`. See docs/gea.md.

`weights/gea` is a `nano` that recipes/nano.sh made, `weights/gea-base` the same before it learned by trying; the model card is weights/README.md.
"""

from baselines.gea.agent import GEA, GEABase, GEAServed

__all__ = ["GEA", "GEABase", "GEAServed"]
