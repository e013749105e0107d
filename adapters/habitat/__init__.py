"""habitat-sim (Habitat 2, arXiv 2106.14405): navigation in scanned homes or generated flats, and
rearrangement skills."""

from adapters.habitat.adapter import HabitatAdapter
from adapters.habitat.rearrange import HabitatRearrangeAdapter
from adapters.habitat.skills import HabitatSkillsAdapter

__all__ = ["HabitatAdapter", "HabitatRearrangeAdapter", "HabitatSkillsAdapter"]
