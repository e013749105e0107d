"""Image-text models of `transformers` behind the same interface: LLaVA-OneVision and Qwen2-VL, from a local folder or a hub id.

A context has several pictures: so, as these models do then, LLaVA-OneVision sees each one whole, without the tiles that it cuts of a single
picture. Qwen2-VL's positions in time, height and width come from the model's own rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.gea.backbone import Backbone, Batch
from baselines.gea.config import Config
from baselines.gea.words import ModelWords
from harness.core import UserError

__all__ = ["Pretrained"]


class Pretrained(Backbone):
    """A model with a language model, a vision tower and an image processor of its own; bfloat16 on a GPU."""

    def __init__(self, config: Config, codes: int) -> None:
        from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

        dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
        try:
            whole: Any = AutoModelForImageTextToText.from_pretrained(config.backbone, dtype=dtype)
            tokenizer = AutoTokenizer.from_pretrained(config.backbone)
            processor = AutoImageProcessor.from_pretrained(config.backbone, backend="pil")
        except (OSError, ValueError, KeyError) as wrong:
            raise UserError(
                f"the backbone {config.backbone!r} does not load: {wrong}. Name a local folder of an image-text model of transformers "
                "(LLaVA-OneVision, Qwen2-VL), a hub id that this machine can reach, or nano"
            ) from None
        family = whole.config.model_type
        if family not in ("llava_onevision", "qwen2_vl"):
            raise UserError(
                f"the backbone {config.backbone!r} is a {family}; llava_onevision and qwen2_vl are known here, and nano"
            )
        width = whole.config.get_text_config().hidden_size
        super().__init__(config, width, codes)
        self.__dict__["_lora"] = None  # not a submodule: it holds the same model
        self._tiles = family == "llava_onevision"
        self._processor = processor
        self.model = whole
        self.words = ModelWords(tokenizer, whole.get_input_embeddings().weight.shape[0])
        self._image_token: int = whole.config.image_token_id
        if not config.train_vision:
            self.freeze_vision()
        if config.lora:
            self.add_lora(config.lora, config.lora_alpha)

    def freeze_vision(self) -> None:
        """Nothing but the language model learns."""
        for name, weight in self.model.named_parameters():
            if "language_model" not in name and "lm_head" not in name:
                weight.requires_grad_(False)

    def add_lora(self, rank: int, alpha: int) -> None:
        """Freeze the language model and learn low-rank changes of its projections (peft)."""
        from peft import LoraConfig, get_peft_model

        # The language model alone: the vision tower has projections of the same names.
        where = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
        self.__dict__["_lora"] = get_peft_model(
            self.model, LoraConfig(r=rank, lora_alpha=alpha, target_modules=where, lora_dropout=0.0)
        ).base_model

    def merge_lora(self) -> None:
        """Make the changes part of the weights."""
        self.model = self._lora.merge_and_unload()

    @property
    def _inner(self) -> Any:
        return self.model.model

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings of text tokens."""
        embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded

    def text_logits(self, hidden: Tensor) -> Tensor:
        """The model's own head."""
        logits: Tensor = self.model.get_output_embeddings()(hidden)
        return logits

    def see(self, images: Sequence[np.ndarray]) -> tuple[list[Tensor], list[Any]]:
        """The projected rows of the vision tower, picture by picture."""
        taken = self._processor(images=list(images), return_tensors="pt")
        pixels = taken["pixel_values"].to(self.device, next(self.model.parameters()).dtype)
        with torch.set_grad_enabled(self.config.train_vision and torch.is_grad_enabled()):
            if self._tiles:
                # The first of the processor's views is the whole picture. Two pictures at least: one alone would be tiled.
                views = [views[:1] for views in pixels]
                sizes = taken["image_sizes"].to(self.device)
                alone = len(views) == 1
                views, sizes = (views * 2, sizes.repeat(2, 1)) if alone else (views, sizes)
                done = self._inner.get_image_features(
                    torch.stack(views),
                    sizes,
                    batch_num_images=torch.tensor([len(views)]),
                    return_dict=True,
                )
                rows = list(done.pooler_output)[: len(images)]
                return [each.reshape(-1, self.width) for each in rows], [None] * len(images)
            grid = taken["image_grid_thw"].to(self.device)
            done = self._inner.get_image_features(pixels, grid, return_dict=True)
            return [each.reshape(-1, self.width) for each in done.pooler_output], list(grid)

    def positions(self, batch: Batch) -> Tensor:
        """As in the base class; of Qwen2-VL (3, B, L)."""
        if self._tiles:
            return super().positions(batch)
        pictures = batch.kinds == 1
        ids = batch.ids.masked_fill(pictures, self._image_token).masked_fill(
            batch.ids >= self.words.size, 0
        )
        grids = torch.stack(batch.grids) if batch.grids else None
        found, _ = self._inner.get_rope_index(
            ids, pictures.int(), image_grid_thw=grids, attention_mask=batch.mask
        )
        return found

    def lm(self, embeds: Tensor, mask: Tensor, positions: Tensor, past: Any) -> tuple[Tensor, Any]:
        """One pass of the language model."""
        done = self._inner.language_model(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=past,
            use_cache=past is not None,
        )
        return done.last_hidden_state, done.past_key_values

    def new_past(self) -> Any:
        """Keys and values of transformers."""
        from transformers import DynamicCache

        return DynamicCache()
