"""Evaluations of an agent that say more than a success rate."""
