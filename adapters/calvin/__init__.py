"""CALVIN (arXiv 2112.03227): chains of instructions at one table. See the adapter's class."""

from adapters.calvin.adapter import CalvinAdapter

__all__ = ["CalvinAdapter"]
