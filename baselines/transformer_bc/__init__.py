"""A language-conditioned transformer by behavioural cloning. See docs/transformer-bc.md."""

from baselines.transformer_bc.agent import TransformerBC

__all__ = ["TransformerBC"]
