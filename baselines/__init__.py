"""Agents that are shipped with the product.

AGENTS maps a name to its entry `module:Class`, which is imported when the agent is first used.
"""

AGENTS = {
    "uniform": "baselines.simple:Uniform",
    "noop": "baselines.simple:Noop",
    "oracle": "baselines.simple:Oracle",
    "noisy-oracle": "baselines.simple:NoisyOracle",
    "blind": "baselines.blind:Blind",
    "gea": "baselines.gea:GEA",
    "gea-base": "baselines.gea:GEABase",
}
