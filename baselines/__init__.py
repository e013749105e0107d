"""Agents that come with the product. AGENTS maps a name to `module:Class`; nothing is imported before it is used."""

AGENTS = {
    "uniform": "baselines.simple:Uniform",
    "noop": "baselines.simple:Noop",
    "oracle": "baselines.simple:Oracle",
    "noisy-oracle": "baselines.simple:NoisyOracle",
    "blind": "baselines.blind:Blind",
    "gea": "baselines.gea:GEA",
    "gea-base": "baselines.gea:GEABase",
}
