"""ALOHA in simulation (arXiv 2304.13705) of the package gym-aloha. See the adapter's class."""

from adapters.aloha.adapter import AlohaAdapter

__all__ = ["AlohaAdapter"]
