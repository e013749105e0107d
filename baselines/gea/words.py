"""Text tokenizers: nano's own, or the one that a model came with."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

__all__ = ["ModelWords", "OwnWords", "Words"]

FILE = "words.json"


class Words(Protocol):
    """Text to token ids and back. `size` ids, of which `eos` ends an answer."""

    size: int
    bos: int | None
    eos: int

    def encode(self, text: str) -> list[int]:
        """Without any special token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The inverse."""
        ...

    def writable(self) -> list[int]:
        """The ids that free text may consist of: all but the special ones."""
        ...


class OwnWords:
    """A byte-level BPE of the `tokenizers` library: any text has an encoding."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.size: int = tokenizer.get_vocab_size()
        self.bos: int | None = tokenizer.token_to_id("<s>")
        self.eos: int = tokenizer.token_to_id("</s>")
        self._encode = functools.lru_cache(maxsize=65536)(
            lambda text: tuple(tokenizer.encode(text).ids)
        )

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> OwnWords:
        """Learned from texts; `size` ids at most, 260 at least."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
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
            initial_alphabet=sorted(
                pre_tokenizers.ByteLevel.alphabet()
            ),  # sorted: else ids differ from run to run
            show_progress=False,
        )
        tokenizer.train_from_iterator(sorted(set(texts)), trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, folder: Path) -> OwnWords:
        """What `save` wrote."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(folder / FILE)))

    def save(self, folder: Path) -> None:
        """Write words.json."""
        self._tokenizer.save(str(folder / FILE))

    def encode(self, text: str) -> list[int]:
        """Without any special token."""
        return list(self._encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The inverse."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def writable(self) -> list[int]:
        """All but <pad>, <s> and </s>."""
        return list(range(3, self.size))


class ModelWords:
    """The tokenizer of a `transformers` model; `size` is that of the model's embedding."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        self._tokenizer = tokenizer
        self.size = size
        self.bos: int | None = tokenizer.bos_token_id
        self.eos: int = tokenizer.eos_token_id
        self._encode = functools.lru_cache(maxsize=65536)(
            lambda text: tuple(tokenizer.encode(text, add_special_tokens=False))
        )

    def encode(self, text: str) -> list[int]:
        """Without any special token."""
        return list(self._encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The inverse."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    @functools.cached_property
    def _writable(self) -> list[int]:
        special = set(self._tokenizer.all_special_ids) | set(
            self._tokenizer.get_added_vocab().values()
        )
        return [
            number
            for number in range(min(self.size, len(self._tokenizer)))
            if number not in special
        ]

    def writable(self) -> list[int]:
        """All but the special ones."""
        return self._writable
