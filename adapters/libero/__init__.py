"""LIBERO and LIBERO-PRO: table-top tasks of a Panda arm on robosuite, with fixed initial states."""

from __future__ import annotations

from adapters.libero.adapter import LiberoAdapter
from adapters.libero.starts import initial_states

__all__ = ["LiberoAdapter", "initial_states"]
