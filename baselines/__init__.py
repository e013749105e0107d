"""Agents that come with the product. AGENTS maps a name to `module:Class`; nothing is imported before it is used."""

AGENTS = {
    "uniform": "baselines.simple:Uniform",
    "noop": "baselines.simple:Noop",
    "oracle": "baselines.simple:Oracle",
    "blind": "baselines.blind:Blind",
}
