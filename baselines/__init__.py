"""Agents that are shipped with the product.

AGENTS maps a name to its entry `module:Class`, which is imported when the agent is first used.
TRAINERS maps what `bench train` can train to a harness.demos.trainer.Trainer, likewise.
"""

AGENTS = {
    "uniform": "baselines.simple:Uniform",
    "noop": "baselines.simple:Noop",
    "oracle": "baselines.simple:Oracle",
    "noisy-oracle": "baselines.simple:NoisyOracle",
    "blind": "baselines.blind:Blind",
    "gea": "baselines.gea:GEA",
    "gea-state": "baselines.gea:GEAState",
    "gea-base": "baselines.gea:GEABase",
    "transformer-bc": "baselines.transformer_bc:TransformerBC",
    "decision-transformer": "baselines.decision_transformer:DecisionTransformer",
}

TRAINERS = {
    "decision-transformer": "baselines.decision_transformer.trainer:TRAINER",
    "gea": "baselines.gea.trainer:TRAINER",
    "transformer-bc": "baselines.transformer_bc.trainer:TRAINER",
}
