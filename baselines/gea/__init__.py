"""GEA (arXiv 2412.08442): the method, trained here on demonstrations and by trying, with a backbone of your own or `nano`. See docs/gea.md."""

from __future__ import annotations

from typing import Any

from harness.core import UserError

__all__ = ["GEA", "GEAServed"]


def __getattr__(name: str) -> Any:
    """The agents, imported when they are asked for: they need torch, and naming the package does not."""
    if name not in __all__:
        raise AttributeError(name)
    try:
        import peft  # noqa: F401
        import safetensors  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
        import vector_quantize_pytorch  # noqa: F401
    except ImportError as lack:
        raise UserError(f"GEA needs the package {lack.name}: pip install 'bench[gea]'") from None
    from baselines.gea import agent

    return getattr(agent, name)
