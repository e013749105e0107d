"""Decision Transformer (arXiv 2106.01345): an agent that is asked for a return.

Its page is docs/decision-transformer.md, its weights' card weights/README.md.
"""

from baselines.decision_transformer.agent import DecisionTransformer

__all__ = ["DecisionTransformer"]
