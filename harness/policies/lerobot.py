"""`--agent lerobot:FOLDER`: a policy of LeRobot, as its trainer wrote it.

The folder holds `config.json`, `model.safetensors`, and the pre- and post-processors that scale
what goes in and what comes out (LeRobot 0.4). Nothing in it is unpickled: a folder with files that
would be is refused. It runs where LeRobot is installed, as a rule in a separate interpreter, which
`bench doctor --fix lerobot` makes.

Source of the format: lerobot/policies/pretrained.py and lerobot/processor/pipeline.py, 0.4.4.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Box, Brief, Discrete, Missing, Turn, UserError

__all__ = ["LeRobot"]

REMEDY = "bench doctor --fix lerobot, which makes an interpreter that has it"
LARGEST_CONFIG = 1 << 24
"""Bytes of a JSON file of the folder; they have thousands."""
UNSAFE = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
"""Files whose readers run code that they hold."""
NEEDED = ("model.safetensors", "policy_preprocessor.json", "policy_postprocessor.json")
PREFIXES = ("observation.images.", "observation.")
WITHOUT_CHUNKS = {
    "groot": "its processors take their statistics from a dataset",
    "reward_classifier": "it gives rewards, no actions",
    "tdmpc": "it plans from the plan of the step before",
}
"""Types that cannot be asked turn by turn, and why."""


class LeRobot(Agent):
    """A policy in LeRobot's own format: ACT, Diffusion Policy, VQ-BeT, SAC, and VLAs.

    A feature `observation.images.NAME` or `observation.NAME` is the view NAME, as `bench demos
    --lerobot` writes them; `views` names others. Pictures go in as float32 (3, H, W) in 0..1, the
    instruction as `task`. Each answer is a chunk: the first `n_action_steps` actions of those that
    the policy predicts. Turns are answered one at a time, and what is drawn is drawn by the turn.
    """

    def __init__(
        self,
        path: str,
        views: Mapping[str, str] | None = None,
        execute: int = 0,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        """Load the policy.

        `path`: its folder. `views`: the view of each feature that is not called like it.
        `execute`: how many actions of a chunk are executed; 0: as the policy's configuration says.
        `threads` of the CPU: other numbers may give other last digits.

        Raises UserError if the folder cannot be used here.
        """
        config = read_config(path)
        self._features = features_of(config, views, path)
        _demand_lerobot(path)
        import torch
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors

        torch.set_num_threads(threads)
        try:
            settings = PreTrainedConfig.from_pretrained(path, cli_overrides=[f"--device={device}"])
            self._policy = get_policy_class(settings.type).from_pretrained(path, config=settings)
            placed = {"device_processor": {"device": device}}
            self._before, self._after = make_pre_post_processors(
                settings,
                path,
                preprocessor_overrides=placed if _has_device(path, NEEDED[1]) else {},
                postprocessor_overrides=(
                    {"device_processor": {"device": "cpu"}} if _has_device(path, NEEDED[2]) else {}
                ),
            )
        except Exception as fault:
            raise UserError(
                f"{path} cannot be loaded: {type(fault).__name__}: "
                f"{' '.join(str(fault).split())[:300]}"
            ) from fault
        self._type = str(settings.type)
        self._execute = execute or int(config.get("n_action_steps") or 1)
        self._device = device
        self.reads = tuple(dict.fromkeys(self._features.values()))  # type: ignore[misc]
        self.history = steps_seen(config)  # type: ignore[misc]

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """The views of its input features, and its `n_obs_steps`."""
        path = arguments["path"]
        config = read_config(path)
        _demand_lerobot(path)
        features = features_of(config, arguments.get("views"), path)
        return tuple(dict.fromkeys(features.values())), steps_seen(config)

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Where the shapes of the policy's features are not those of the task."""
        path = arguments["path"]
        config = read_config(path)
        for feature, view in features_of(config, arguments.get("views"), path).items():
            spec = brief.observation.get(view)
            theirs = tuple(config["input_features"][feature]["shape"])
            if spec is None:
                return _misfit(path, f"its {feature} is the view {view}, which the task lacks")
            ours = _shape(spec)
            if theirs != ours:
                return _misfit(path, f"its {feature} is {theirs}, the view {view} is {ours}")
        size, wanted = _action_size(config), _size_of_action(brief)
        if wanted is None or size != wanted:
            what = type(brief.action).__name__ if wanted is None else f"{wanted} numbers"
            return _misfit(path, f"its action has {size} numbers, that of the task is {what}")
        return None

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """One answer for each turn, each by itself."""
        return [self._answer(turn) for turn in turns]

    def _answer(self, turn: Turn) -> Answer:
        import torch

        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(int(turn.rng.integers(2**31)))
            self._policy.reset()
            shown = [self._batch(each, turn.instruction) for each in turn.observations]
            chunk, memory = self._predicted([self._before(each) for each in shown], turn.memory)
            actions = self._after(chunk).float().cpu().numpy()
        discrete = isinstance(turn.brief.action, Discrete)
        executed = [round(float(each[0])) if discrete else each for each in actions]
        return Answer(executed[: self._execute], memory, rest=executed[self._execute :])

    def _batch(self, observation: Mapping[str, Any], instruction: str) -> dict[str, Any]:
        """What LeRobot's own evaluation gives the preprocessor: tensors with a batch of one."""
        import torch

        batch: dict[str, Any] = {"task": [instruction]}
        for feature, view in self._features.items():
            value = np.asarray(observation[view])
            if value.dtype == np.uint8 and value.ndim == 3:
                picture = torch.from_numpy(np.ascontiguousarray(value.transpose(2, 0, 1)))
                batch[feature] = picture[None].to(torch.float32) / 255
            else:
                flat = np.ascontiguousarray(value, np.float32).reshape(1, -1)
                batch[feature] = torch.from_numpy(flat)
        return batch

    def _predicted(self, batches: Sequence[dict[str, Any]], memory: Any) -> tuple[Any, Any]:
        """(the actions that it predicts, of shape (steps, size), and what to remember)."""
        if self._type == "sac":
            return self._policy.select_action(dict(batches[-1])), None
        chunk = self._policy.predict_action_chunk(self._shown(batches))
        ensembler = getattr(self._policy, "temporal_ensembler", None)
        if ensembler is None:
            return chunk[0], None
        # It averages over predictions of earlier steps, and changes what it keeps in place.
        kept = (None, None) if memory is None else (each.clone() for each in memory)
        ensembler.ensembled_actions, ensembler.ensembled_actions_count = kept
        action = ensembler.update(chunk)
        return action, (ensembler.ensembled_actions, ensembler.ensembled_actions_count)

    def _shown(self, batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The newest observation, once the policy's queues of observations hold them all.

        As in its own `select_action`, the first observation of an episode fills them whole.
        """
        import torch
        from lerobot.policies.utils import populate_queues

        queues = getattr(self._policy, "_queues", {})
        shown: dict[str, Any] = {}
        for batch in batches:
            shown = {key: value for key, value in batch.items() if key != "action"}
            pictures = self._policy.config.image_features
            if pictures and "observation.images" in queues:
                stacked = torch.stack([batch[key] for key in pictures], dim=-4)
                shown["observation.images"] = stacked
            if set(queues) - {"action"}:
                populate_queues(queues, shown, exclude_keys=["action"])
        return shown


def read_config(path: str) -> dict[str, Any]:
    """`config.json` of a policy's folder, once it is known that the folder is safe to load.

    Raises UserError with the remedy.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{path} is no folder: write lerobot:FOLDER, the one with config.json")
    inner = folder / "pretrained_model"
    if not (folder / "config.json").exists() and (inner / "config.json").exists():
        raise UserError(f"the policy lies in a folder of {path}: write lerobot:{inner}")
    unsafe = sorted(each.name for each in folder.rglob("*") if each.suffix.lower() in UNSAFE)
    if unsafe:
        raise UserError(
            f"{path} holds {unsafe[0]}, which can run code when it is loaded; LeRobot's own format "
            "is safetensors: load and save the policy once with its save_pretrained, or remove the "
            "file if it is not needed"
        )
    config = _json(folder / "config.json")
    lacks = [name for name in NEEDED if not (folder / name).exists()]
    if lacks:
        raise UserError(
            f"{path} lacks {lacks[0]}; LeRobot before 0.4 kept the statistics inside the weights: "
            "convert it with lerobot's migrate_policy_normalization.py"
        )
    for name in NEEDED[1:]:
        for step in _steps(folder / name):
            if "registry_name" not in step:
                raise UserError(
                    f"{path}/{name} names the Python class {step.get('class')!r} for a step; only "
                    "steps of LeRobot's own registry are run"
                )
    kind = config.get("type")
    if kind in WITHOUT_CHUNKS:
        raise UserError(f"{path} is of the type {kind}: {WITHOUT_CHUNKS[kind]}")
    return config


def features_of(
    config: Mapping[str, Any], views: Mapping[str, str] | None, path: str
) -> dict[str, str]:
    """Input feature -> view. Raises UserError if a feature has no view."""
    inputs = config.get("input_features")
    if not isinstance(inputs, Mapping) or not inputs:
        raise UserError(f"{path}/config.json names no input_features")
    named = {} if views is None else views
    if not isinstance(named, Mapping) or not all(isinstance(v, str) for v in named.values()):
        raise UserError(f"views={views!r}: write a table of features and views")
    unknown = [feature for feature in named if feature not in inputs]
    if unknown:
        raise UserError(f"views: there is no feature {unknown[0]}; it has {', '.join(inputs)}")
    found = {}
    for feature, said in inputs.items():
        shape = said.get("shape") if isinstance(said, Mapping) else None
        if not isinstance(shape, list) or not all(type(size) is int for size in shape):
            raise UserError(f"{path}/config.json: {feature} has no shape")
        prefix = next((each for each in PREFIXES if feature.startswith(each)), "")
        found[feature] = named.get(feature, feature.removeprefix(prefix))
    return found


def steps_seen(config: Mapping[str, Any]) -> int:
    """How many observations the policy looks at."""
    count = config.get("n_obs_steps", 1)
    if type(count) is not int or not 1 <= count <= 1000:
        raise UserError(f"config.json: n_obs_steps is {count!r}")
    return count


def _action_size(config: Mapping[str, Any]) -> int:
    outputs = config.get("output_features")
    action = outputs.get("action") if isinstance(outputs, Mapping) else None
    shape = action.get("shape") if isinstance(action, Mapping) else None
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise UserError("config.json: output_features has no action with a shape")
    return int(np.prod(shape))


def _size_of_action(brief: Brief) -> int | None:
    if isinstance(brief.action, Box):
        return int(np.prod(brief.action.shape))
    return 1 if isinstance(brief.action, Discrete) else None


def _shape(spec: Any) -> tuple[int, ...]:
    """The shape that a view has as a feature: channels first, and everything else flat."""
    if not isinstance(spec, Box):
        return (1,) if isinstance(spec, Discrete) else ()
    if spec.dtype == "uint8" and len(spec.shape) == 3:
        height, width, channels = spec.shape
        return channels, height, width
    return (int(np.prod(spec.shape)),)


def _misfit(path: str, reason: str) -> Missing:
    return Missing(
        f"{path} does not fit: {reason}",
        "play the task that it was trained on, or name its views with "
        """--agent-arg 'views={"observation.state": "VIEW"}'""",
    )


def _demand_lerobot(path: str) -> None:
    if importlib.util.find_spec("lerobot") is None:
        raise UserError(f"{path} needs LeRobot, which is not installed here: {REMEDY}")


def _has_device(path: str, name: str) -> bool:
    return any(step["registry_name"] == "device_processor" for step in _steps(Path(path, name)))


def _steps(file: Path) -> list[Mapping[str, Any]]:
    steps = _json(file).get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise UserError(f"{file} names no steps")
    return steps


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_CONFIG:
            raise UserError(f"{file} is larger than {LARGEST_CONFIG} bytes")
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UserError(f"{file} cannot be read: {fault.strerror}") from None
    except (ValueError, RecursionError) as fault:
        raise UserError(f"{file} is no JSON: {fault}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no table")
    return content
