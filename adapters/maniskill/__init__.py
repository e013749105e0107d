"""ManiSkill 3: manipulation, dexterity, humanoids and body control on SAPIEN (PhysX).

It runs one lane on the CPU or many on a GPU.
"""

from adapters.maniskill.adapter import ManiSkillAdapter
from adapters.maniskill.batched import ManiSkillBatchedAdapter
from adapters.maniskill.grasp_tail import GraspTailAdapter
from adapters.maniskill.simpler import SimplerAdapter

__all__ = [
    "GraspTailAdapter",
    "ManiSkillAdapter",
    "ManiSkillBatchedAdapter",
    "SimplerAdapter",
]
