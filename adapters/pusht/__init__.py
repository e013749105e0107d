"""PushT (arXiv 2303.04137) of the package gym-pusht: a disc pushes a T. See the class."""

from adapters.pusht.adapter import PushTAdapter

__all__ = ["PushTAdapter"]
