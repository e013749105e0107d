"""Text tokenizers: the one that `nano` trains, and the one of a `transformers` model."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

__all__ = ["NanoTokenizer", "PretrainedTokenizer", "TextTokenizer"]

FILE = "words.json"


class TextTokenizer(Protocol):
    """Text to token ids below `size`, and back. The id `eos` ends an answer."""

    size: int
    bos: int | None
    eos: int

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without any special token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special tokens are skipped."""
        ...

    def free_text_ids(self) -> list[int]:
        """The ids that a free text may consist of: all except the special tokens."""
        ...


class NanoTokenizer:
    """A TextTokenizer by byte-level BPE (`tokenizers` library): every text has an encoding."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.size: int = tokenizer.get_vocab_size()
        self.bos: int | None = tokenizer.token_to_id("<s>")
        self.eos: int = tokenizer.token_to_id("</s>")
        self._encode = functools.lru_cache(maxsize=65536)(
            lambda text: tuple(tokenizer.encode(text).ids)
        )

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> NanoTokenizer:
        """Train a vocabulary of at most `size` ids; 260 are the least that bytes need."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        # Numbers are split from letters, so that they have the same tokens wherever they stand.
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=False),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=max(size, 260),
            special_tokens=["<pad>", "<s>", "</s>"],
            # Sorted, because the library's order, and so the ids, would differ from run to run.
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(sorted(set(texts)), trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, folder: Path) -> NanoTokenizer:
        """The tokenizer that `save` wrote into a folder."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(folder / FILE)))

    def save(self, folder: Path) -> None:
        """Write words.json."""
        self._tokenizer.save(str(folder / FILE))

    def encode(self, text: str) -> list[int]:
        return list(self._encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def free_text_ids(self) -> list[int]:
        """All except <pad>, <s> and </s>, which are the first three."""
        return list(range(3, self.size))


class PretrainedTokenizer:
    """The TextTokenizer of a `transformers` model; `size` is that of the model's embedding."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        self._tokenizer = tokenizer
        self.size = size
        self.bos: int | None = tokenizer.bos_token_id
        self.eos: int = tokenizer.eos_token_id
        self._encode = functools.lru_cache(maxsize=65536)(
            lambda text: tuple(tokenizer.encode(text, add_special_tokens=False))
        )

    def encode(self, text: str) -> list[int]:
        return list(self._encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    @functools.cached_property
    def _free_text_ids(self) -> list[int]:
        special = set(self._tokenizer.all_special_ids) | set(
            self._tokenizer.get_added_vocab().values()
        )
        return [
            number
            for number in range(min(self.size, len(self._tokenizer)))
            if number not in special
        ]

    def free_text_ids(self) -> list[int]:
        """All that are neither special nor added to the tokenizer's own vocabulary."""
        return self._free_text_ids
