"""The configuration of a GEA model: config.json, stored next to its weights."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from baselines.learning.config_file import StoredConfig, size
from harness.core import DOMAINS, UserError
from harness.records.typed import Check

__all__ = ["Config", "RVQConfig"]

LARGEST = 1 << 16
"""Upper bound of all sizes, so that a config.json from elsewhere cannot fill the memory."""


@dataclass(frozen=True)
class RVQConfig:
    """The action tokenizer. The defaults are the paper's (arXiv 2412.08442, appendix A)."""

    bounds: ClassVar[Mapping[str, Check]] = dict.fromkeys(
        ("dims", "codebooks", "codes", "code_dim", "hidden", "layers", "batch"), size(LARGEST)
    )

    kind: str = "rvq"
    """`rvq`, or `uniform`: a code for each of `dims` elements, one of `codes` bins of equal width.

    Bins need no learning, and of the fields below only `dims` and `codes` count.
    """
    dims: int = 21
    """Elements of an action. Longer actions are cut, shorter ones padded with 0."""
    codebooks: int = 2
    codes: int = 512
    """Codes per codebook."""
    code_dim: int = 1024
    hidden: int = 4096
    """Width of the hidden layers of encoder and decoder."""
    layers: int = 4
    """Linear layers of the encoder, and of the decoder."""
    commitment: float = 1.0
    """Weight of the commitment loss."""
    lr: float = 1e-4
    warmup: float = 0.0
    """Share of the steps in which the rate rises, before it falls by a cosine; 0: it is constant.

    The paper's is 0.1.
    """
    batch: int = 256
    steps: int = 15_000

    def __post_init__(self) -> None:
        if self.kind not in ("rvq", "uniform"):
            raise UserError(f"rvq.kind is {self.kind!r}: it is rvq or uniform")

    @property
    def tokens(self) -> int:
        """Codes of an action."""
        return self.dims if self.kind == "uniform" else self.codebooks


@dataclass(frozen=True)
class Config(StoredConfig):
    """Everything about a model except its weights.

    The defaults are those of `nano`; baselines/gea/recipes/paper.json has the paper's.
    """

    agent = "gea"
    remedy = (
        "`bench demos --suite S --episodes N --out DATA`, then "
        "`bench train gea --stage tokenizer --data DATA --out {folder}` and the same with "
        "`--stage sft`"
    )
    bounds = dict.fromkeys(
        ("history", "words", "width", "layers", "heads", "mlp", "pixels", "numbers", "screen",
         "batch", "processes", "rollout", "lanes", "epochs", "minibatches", "at_once"),
        size(LARGEST),
    )  # fmt: skip

    backbone: str = "nano"
    """`nano`, or an image-text model of `transformers`: a local folder or a hub id."""
    views: tuple[str, ...] = (
        "image?",
        "image_partial?",
        "grid?",
        "direction?",
        "proprio?",
        "state?",
        "text?",
        "dom?",
        "admissible?",
    )
    """The views that it reads. Weights belong to these views: with others it is another agent."""
    history: int = 3
    """Observations in the context, the current one included."""
    full_prompt: bool = False
    """Whether the prompt describes embodiment, actions, simulator and cameras in full.

    Without it, the prompt has only the first words on the simulator and the actions.
    """
    about_tokens: int = 16
    """Most tokens on simulator and actions without `full_prompt`: enough to tell tasks apart."""
    prompt_tokens: int = 96
    """Most tokens before the first observation."""
    text_tokens: int = 128
    """Most tokens of one text view of the current step; earlier steps get a quarter of it."""
    answer_tokens: int = 48
    """Tokens after which a free text is ended."""
    screen: int = 50
    """Blocks per side of the grid that names places on a screen; 50 in the paper."""
    rvq: RVQConfig = field(
        default_factory=lambda: RVQConfig(code_dim=64, hidden=256, lr=1e-3, steps=3000)
    )
    # nano
    words: int = 1024
    """Vocabulary size of its text tokenizer."""
    width: int = 192
    """Channels of the language model."""
    layers: int = 4
    heads: int = 6
    mlp: int = 512
    """Hidden channels of each block's MLP."""
    pixels: int = 64
    """Side of an image after resizing."""
    vision: str = "plain"
    """Encoder of images: `plain`, four convolutions, `residual` (baselines/gea/vision.py), or
    `reader`, which the stage `see` trains (baselines/gea/reader.py)."""
    games: bool = False
    """Whether the vision `reader` also reads the pictures of games (baselines/gea/game_eyes.py)."""
    pages: bool = False
    """Whether it also reads the screenshots of small pages (baselines/gea/page_eyes.py)."""
    past_rows: int = 0
    """Rows that an image of an earlier step has, with the vision `residual`: of its summary.

    At most four. 0 gives it as many as the current one has.
    """
    numbers: int = 128
    """Most numbers of one step that it reads; the rest is cut."""
    initialise: str = "all"
    """What keeps its weights: `all`, only `vision` or `language`, or `none`; the rest is random.

    The weights of a pretrained backbone, and with nano those that SFT starts from, whose `vision`
    are the encoders of all that is seen: pictures, grids and numbers. What lies between the two is
    random unless all is kept.
    """
    # pretrained backbones
    lora: int = 0
    """The rank of LoRA; 0 trains all weights."""
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    """Share of a LoRA's inputs that are dropped while it learns."""
    image_rows: int = 0
    """Rows that an image has: means over areas of the encoder's. 0 leaves all of them."""
    train_vision: bool = False
    """Whether the vision encoder is trained too."""
    # learning
    mixed_precision: bool = False
    """nano only: train with bfloat16 matrix products, which some CPUs compute several times faster.

    It always plays in float32.
    """
    # supervised fine-tuning
    lr: float = 1e-3
    batch: int = 64
    steps: int = 3000
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises; it then falls by a cosine."""
    muon: bool = False
    """nano only: train the matrices of its blocks by Muon instead of AdamW."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of the gradient."""
    weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(DOMAINS, 1.0))
    """Sampling weight of each domain, relative to the other domains with demonstrations."""
    tasks: Mapping[str, float] = field(default_factory=dict)
    """Sampling weights of tasks within their domain, by task name pattern: {"babyai/Pickup*": 3}.

    The last matching pattern counts; a task that matches none has weight 1.
    """
    shift: int = 0
    """Augmentation: pictures of a context are moved together by up to so many pixels.

    Not where actions are points on a screen, which would then have to move too.
    """
    colour: float = 0.0
    """Augmentation: brightness and contrast change by up to this share."""
    turned: tuple[str, ...] = ()
    """Augmentation: tasks, by name pattern, whose pictures are turned by multiples of 90 degrees.

    It is for maps seen from above on which actions are the agent's own left, right and forward.
    """
    auxiliary: tuple[str, ...] = ()
    """Numeric views of the demonstrations that SFT predicts from the hidden state of the prompt.

    They may be privileged: the agent that plays never sees them. A recording needs them too.
    """
    auxiliary_share: float = 0.1
    """Weight of the mean squared error of that prediction, in units of the standard deviation."""
    validate_every: int = 0
    """Updates of SFT between two measurements of the loss on other demonstrations.

    The weights with the smallest one are kept. 0: those of the last update are. See
    `Job.validation`.
    """
    datasets: Mapping[str, float] = field(default_factory=dict)
    """Sampling weights of data sets, by name pattern of their folders: {"*": 1, "procgen*": 2}.

    The last matching pattern counts. Instead of `weights`, which are used if this is empty.
    """
    # several processes
    processes: int = 1
    """Processes that learn together, started by Ray, each with a GPU where there are GPUs.

    Each of them draws its part of `batch`, and plays `lanes` lanes of its own.
    """
    # reinforcement learning: the defaults are the paper's, but for those that name nano
    rl_lr: float = 3e-4
    rl_falls: bool = False
    """Whether the learning rate warms up and falls as in SFT.

    AdamW divides a gradient by its own size, so a first step at the full rate moves every weight
    equally far, however small its gradient.
    """
    rollout: int = 128
    """Environment steps per lane between two updates."""
    lanes: int = 16
    """Environments that are stepped in parallel."""
    epochs: int = 2
    minibatches: int = 6
    """Minibatches per epoch."""
    at_once: int = 64
    """Decisions per forward pass. A minibatch is several passes, whose gradients are summed."""
    clip_ratio: float = 0.2
    """PPO's epsilon: the probability ratio is clipped to [1 - epsilon, 1 + epsilon]."""
    gamma: float = 0.999
    """Discount factor."""
    gae: float = 0.95
    """Lambda of generalised advantage estimation."""
    entropy: float = 1e-4
    """Weight of the entropy, which is measured as a share of its largest possible value."""
    value: float = 0.5
    """Weight of the critic's loss: for nano; the paper's is 1.5e-4."""
    rl_lora: int = 0
    """The rank of a LoRA that is added for RL and merged at its end; 0: as `lora` says."""
    rl_suites: Mapping[str, float] = field(default_factory=dict)
    """Share of the decisions that each suite gets: {"procgen-train": 3}. Others have 1.

    If there are as many processes as these numbers say, each process plays one suite.
    """
    contexts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Other values of `history` and `image_rows`, by suite, for processes that play it alone."""
    critic_width: int = 0
    """Channels of the critic's layers; 0: those of the backbone."""
    critic_images: bool = False
    """Whether the critic also sees the mean of the rows of the context's images."""
    sft_share: float = 0.1
    """Weight of the SFT loss."""
    critic_first: int = 0
    """Decisions at the start during which only the critic is trained.

    An untrained critic sends useless gradients into a backbone that already knows something.
    """
    critic_apart: bool = False
    """Whether the critic is always trained separately, without gradients into the backbone."""
    temperature: float = 1.0
    """Temperature of the sampled actions, and of the policy that is trained on them.

    Below 1, actions stay closer to the most likely one.
    """
    play_temperature: float = 0.0
    """Temperature at which the agent `GEA` samples its actions; 0 plays the most likely one."""
    offline_temperature: float = 1.0
    """Of the stage `offline`: how much better than expected, in standard deviations of the return,
    multiplies the weight of a step by e. The smaller, the fewer steps count."""
    popart: float = 3e-4
    """Step size of PopArt's moving moments (arXiv 1809.04474)."""

    def __post_init__(self) -> None:
        if (
            self.history < 1
            or self.width % self.heads
            or min(self.lanes, self.rollout, self.batch, self.at_once) < 1
        ):
            raise UserError(
                "this GEA configuration is invalid: history, lanes, rollout, batch and at_once "
                "must be at least 1, and width must be divisible by heads"
            )
        if self.processes < 1 or self.batch % self.processes:
            raise UserError(
                f"processes is {self.processes}: it must be 1 or more, and divide batch, "
                f"{self.batch}"
            )
        if any(set(each) - {"history", "image_rows"} for each in self.contexts.values()):
            raise UserError("contexts may change history and image_rows of a suite, nothing else")
        if self.vision not in ("plain", "residual", "reader"):
            raise UserError(f"vision is {self.vision!r}: it is plain, residual or reader")
        if self.games and self.vision != "reader":
            raise UserError(f"games is true and vision is {self.vision!r}: games need the reader")
        if self.pages and self.vision != "reader":
            raise UserError(f"pages is true and vision is {self.vision!r}: pages need the reader")
        if self.past_rows not in (range(5) if self.vision == "residual" else (0,)):
            raise UserError(
                f"past_rows is {self.past_rows}: it is 0 to 4 with the vision residual, else 0"
            )
        if not (self.temperature > 0 and self.play_temperature >= 0):
            raise UserError(
                f"temperature is {self.temperature} and play_temperature {self.play_temperature}: "
                "temperature must be above 0, play_temperature at least 0"
            )
        if self.initialise not in ("all", "vision", "language", "none"):
            raise UserError(
                f"initialise is {self.initialise!r}: it is all, vision, language or none"
            )
        if (
            self.initialise != "all"
            and self.backbone != "nano"
            and (self.lora or not self.train_vision)
        ):
            raise UserError(
                f"initialise is {self.initialise!r}: a pretrained backbone then needs "
                "train_vision=true and lora=0, since what is random has to learn"
            )
        if not self.offline_temperature > 0:
            raise UserError(
                f"offline_temperature is {self.offline_temperature}: it must be above 0"
            )
        unknown = set(self.weights) - set(DOMAINS)
        if unknown:
            raise UserError(
                f"weights names the domain {sorted(unknown)[0]!r}; there are {', '.join(DOMAINS)}"
            )

    def in_context(self, suite: str | None) -> Config:
        """As it is for a process that plays this suite alone."""
        changes: Mapping[str, Any] = self.contexts.get(suite or "", {})
        return dataclasses.replace(self, **changes)

    def data_set(self, folder: str, domain: str) -> tuple[str, float]:
        """(name, sampling weight) of what demonstrations of a domain in a folder belong to."""
        if not self.datasets:
            return domain, self.weights.get(domain, 0.0)
        matching = [
            weight for name, weight in self.datasets.items() if fnmatch.fnmatchcase(folder, name)
        ]
        return folder, matching[-1] if matching else 0.0
