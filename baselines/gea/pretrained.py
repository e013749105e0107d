"""Image-text models of `transformers` as backbones: LLaVA-OneVision and Qwen2-VL.

A context has several images. LLaVA-OneVision is therefore shown each one whole, as it was trained
for several images, and without the tiles that it cuts of a single one. Qwen2-VL's positions in
time, height and width are computed by the model's own function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.backbone import IMAGE, Backbone, Batch
from baselines.gea.config import Config
from baselines.learning.text_tokenizer import PretrainedTokenizer
from harness.core import UserError

__all__ = ["Pretrained"]


class Pretrained(Backbone):
    """A model with its language model, vision encoder and image processor; bfloat16 on a GPU."""

    _lora: Any

    def __init__(self, config: Config, codes: int) -> None:
        """`codes`: number of action codes, over all codebooks.

        Raises UserError when `config.backbone` does not load or is of another family.
        """
        from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

        image_processors: Any = AutoImageProcessor  # its methods have no annotations
        dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
        try:
            model: Any = AutoModelForImageTextToText.from_pretrained(config.backbone, dtype=dtype)
            tokenizer = AutoTokenizer.from_pretrained(config.backbone)
            processor = image_processors.from_pretrained(config.backbone, backend="pil")
        except (OSError, ValueError, KeyError) as wrong:
            raise UserError(
                f"the backbone {config.backbone!r} does not load: {wrong}. Name a local folder of "
                "an image-text model of transformers (LLaVA-OneVision, Qwen2-VL), a hub id that "
                "this machine can reach, or nano"
            ) from None
        family = model.config.model_type
        if family not in ("llava_onevision", "qwen2_vl"):
            raise UserError(
                f"the backbone {config.backbone!r} is a {family}, which is not supported; name "
                "a llava_onevision or qwen2_vl model, or nano"
            )
        if config.image_rows and family != "llava_onevision":
            raise UserError(
                f"image_rows is {config.image_rows}: a {family} takes its number of rows from the "
                "size of an image; leave image_rows at 0"
            )
        width = model.config.get_text_config().hidden_size
        super().__init__(config, width, codes)
        # Not a submodule: it holds the same model, whose weights would be listed twice.
        self.__dict__["_lora"] = None
        self._llava = family == "llava_onevision"
        self._processor = processor
        self.model = model
        self.text_tokenizer = PretrainedTokenizer(
            tokenizer, model.get_input_embeddings().weight.shape[0]
        )
        self._image_token: int = model.config.image_token_id
        if config.initialise != "all":
            _forget(model, config.initialise)
        if not config.train_vision:
            self.freeze_vision()
        if config.lora:
            self.add_lora(config.lora)

    @staticmethod
    def part(name: str) -> str:
        """Vision is the encoder of pictures, without what makes the language model's rows of it."""
        if "language_model" in name or "lm_head" in name:
            return "language"
        sees = "vision_tower" in name or "visual." in name
        return "vision" if sees and "merger" not in name else ""

    def freeze_vision(self) -> None:
        """Train no weights of the model except those of its language model."""
        for name, weight in self.model.named_parameters():
            if "language_model" not in name and "lm_head" not in name:
                weight.requires_grad_(False)

    def add_lora(self, rank: int) -> None:
        """Freeze the model, and train low-rank changes of its projections (LoRA, by peft)."""
        from peft import LoraConfig, get_peft_model

        # Only in the language model: the vision encoder has projections of the same names.
        where = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
        self.__dict__["_lora"] = get_peft_model(
            self.model,
            LoraConfig(
                r=rank,
                lora_alpha=self.config.lora_alpha,
                target_modules=where,
                lora_dropout=self.config.lora_dropout,
            ),
        ).base_model

    def merge_lora(self) -> None:
        """Add the low-rank changes to the weights."""
        self.model = self._lora.merge_and_unload()

    @property
    def _inner(self) -> Any:
        return self.model.model

    def embed_text(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded

    def text_logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.model.get_output_embeddings()(hidden)
        return logits

    def encode_images(
        self, images: Sequence[np.ndarray], earlier: Sequence[Sequence[np.ndarray]] = ()
    ) -> tuple[list[Tensor], list[Any]]:
        """As in Backbone. Qwen2-VL's entries of Batch.grids: int64 (3,), time, height, width."""
        processed = self._processor(images=list(images), return_tensors="pt")
        pixels = processed["pixel_values"].to(self.device, next(self.model.parameters()).dtype)
        with torch.set_grad_enabled(self.config.train_vision and torch.is_grad_enabled()):
            if self._llava:
                # The processor's first view of an image is the whole image, the others are tiles.
                # The model would expect tiles of a single image, so a single one is passed twice.
                views = [views[:1] for views in pixels]
                sizes = processed["image_sizes"].to(self.device)
                single = len(views) == 1
                views, sizes = (views * 2, sizes.repeat(2, 1)) if single else (views, sizes)
                encoded = self._inner.get_image_features(
                    torch.stack(views),
                    sizes,
                    batch_num_images=torch.tensor([len(views)]),
                    return_dict=True,
                )
                rows = list(encoded.pooler_output)[: len(images)]
                return [self._fewer(each.reshape(-1, self.width)) for each in rows], [None] * len(
                    images
                )
            grid = processed["image_grid_thw"].to(self.device)
            encoded = self._inner.get_image_features(pixels, grid, return_dict=True)
            return [each.reshape(-1, self.width) for each in encoded.pooler_output], list(grid)

    def _fewer(self, rows: Tensor) -> Tensor:
        """As many rows (n, width) as the configuration says: means over areas of the image."""
        count = self.config.image_rows
        side = int(len(rows) ** 0.5)  # a row that ends the image follows those of its patches
        if not count or count >= side * side:
            return rows
        height = max(each for each in range(1, int(count**0.5) + 1) if count % each == 0)
        grid = rows[: side * side].reshape(side, side, -1).movedim(-1, 0)
        # Rounded to bfloat16 once, not at every sum.
        pooled = F.adaptive_avg_pool2d(grid.float(), (height, count // height))
        return pooled.to(rows.dtype).movedim(0, -1).reshape(count, -1)

    def positions(self, batch: Batch) -> Tensor:
        """int64 (B, L); for Qwen2-VL (3, B, L): time, height and width."""
        if self._llava:
            return super().positions(batch)
        images = batch.kinds == IMAGE
        # The model's function finds images by their token and knows no action codes.
        ids = batch.ids.masked_fill(images, self._image_token).masked_fill(
            batch.ids >= self.text_tokenizer.size, 0
        )
        grids = torch.stack(batch.grids) if batch.grids else None
        positions: Tensor
        positions, _ = self._inner.get_rope_index(
            ids, images.int(), image_grid_thw=grids, attention_mask=batch.mask
        )
        return positions

    def run_model(
        self, embeds: Tensor, mask: Tensor, positions: Tensor, cache: Any, last: int = 0
    ) -> tuple[Tensor, Any]:
        output = self._inner.language_model(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return output.last_hidden_state[:, -last:], output.past_key_values

    @property
    def last_block(self) -> nn.Module:
        block: nn.Module = self._inner.language_model.layers[-1]
        return block

    def new_cache(self) -> Any:
        """A cache of `transformers`."""
        from transformers import DynamicCache

        return DynamicCache()


def _forget(model: Any, kept: str) -> None:
    """Give a model random weights, except for its part `vision` or `language`; `none`: for none."""
    from transformers import AutoModelForImageTextToText

    models: Any = AutoModelForImageTextToText  # its methods have no annotations
    dtype = next(model.parameters()).dtype
    fresh: Any = models.from_config(model.config, dtype=dtype)
    random = dict(fresh.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if Pretrained.part(name) != kept:
                weight.copy_(random[name])
