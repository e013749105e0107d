"""A language-conditioned transformer by behavioural cloning. See docs/transformer-bc.md.

`weights` holds a model that recipe.sh made; its card is weights/README.md.
"""

from baselines.transformer_bc.agent import TransformerBC

__all__ = ["TransformerBC"]
