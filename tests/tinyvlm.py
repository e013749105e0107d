"""Makes tiny vision-language models, without a network: `python tinyvlm.py FOLDER MODELS`.

MODELS is a JSON object: the name of each model, and the actions that it may answer.

LLaVA's classes with random weights: a picture becomes 16 tokens, a letter one, and each of the
actions is a single token, all other tokens being suppressed. So an answer is one of the actions;
which one depends on what the model was shown, and it tells nothing of any skill.

Runs in the interpreter of `transformers serve`, which needs not know bench.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SIDE, PATCH = 32, 8
TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}\n{% endfor %}assistant:"
    "{% for message in messages %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% endif %}{% endfor %}{% endfor %}"
)
"""Pictures come last, so that the next token hangs on them most."""


def tokenizer(answers: list[str]) -> PreTrainedTokenizerFast:
    """A token for each byte, for a picture, for the end, and for each answer."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="</s>", model_max_length=100_000
    )
    made.add_special_tokens({"additional_special_tokens": ["<image>"]})
    made.add_tokens(answers)
    made.chat_template = TEMPLATE
    return made


def make(folder: Path, actions: list[str]) -> None:
    """Write the model, its processor and its tokenizer."""
    torch.manual_seed(3)
    answers = [f"Action: {action}" for action in actions]
    words = tokenizer(answers)
    processor = LlavaProcessor(
        CLIPImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            image_size=SIDE, patch_size=PATCH, projection_dim=32,
        ),
        text_config=LlamaConfig(
            vocab_size=len(words), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=100_000,
            pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id, bos_token_id=None,
        ),
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config).eval()
    chosen = set(words.convert_tokens_to_ids(answers))
    model.generation_config = GenerationConfig(
        suppress_tokens=[each for each in range(len(words)) if each not in chosen],
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


if __name__ == "__main__":
    for name, actions in json.loads(sys.argv[2]).items():
        make(Path(sys.argv[1]) / name, actions)
