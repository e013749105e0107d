"""habitat-sim (Habitat 2, arXiv 2106.14405): a body that walks through scanned homes, or through a flat that we build; and rearrangement."""

from adapters.habitat.adapter import HabitatAdapter
from adapters.habitat.rearrange import HabitatRearrangeAdapter

__all__ = ["HabitatAdapter", "HabitatRearrangeAdapter"]
