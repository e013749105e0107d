"""`--agent lerobot:FOLDER`: a policy of LeRobot, as its trainer wrote it.

The folder holds `config.json`, `model.safetensors`, and the pre- and post-processors that scale
what goes in and what comes out (LeRobot 0.4). Nothing in it is unpickled: a folder with files that
would be is refused. It runs where LeRobot is installed, as a rule in a separate interpreter, which
`bench doctor --fix lerobot` makes.

Source of the format: lerobot/policies/pretrained.py and lerobot/processor/pipeline.py, 0.4.4.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Box, Brief, Discrete, Missing, Turn, UserError
from harness.policies.drawing import torch_drawn_by
from harness.policies.encoding import profile_identity
from harness.policies.lerobot_folder import (
    NEEDED,
    action_size,
    features_of,
    has_device,
    read_config,
    steps_seen,
)

__all__ = ["LeRobot"]

REMEDY = "bench doctor --fix lerobot, which makes an interpreter that has it"


class LeRobot(Agent):
    """A policy in LeRobot's own format: ACT, Diffusion Policy, VQ-BeT, SAC, and VLAs.

    A feature `observation.images.NAME` or `observation.NAME` is the view NAME, as `bench demos
    --lerobot` writes them; `views` names others, and a profile says more. Pictures go in as float32
    (3, H, W) in 0..1, the instruction as `task`. Each answer is a chunk: the first `n_action_steps`
    actions of those that the policy predicts. Turns are answered one at a time, and what is drawn
    is drawn by the turn.
    """

    def __init__(
        self,
        path: str,
        views: Mapping[str, str] | None = None,
        execute: int = 0,
        device: str = "cpu",
        threads: int = 1,
        profile: str = "",
        profile_check: str = "on",
    ) -> None:
        """Load the policy.

        `path`: its folder. `views`: the view of each feature that is not called like it. `profile`:
        a name or a file that says how views become features, in the place of `views`. `execute`:
        how many actions of a chunk are executed; 0: as the policy's configuration says.
        `threads` of the CPU: other numbers may give other last digits.

        Raises UserError if the folder cannot be used here.
        """
        config = read_config(path)
        self._features = features_of(config, views, path)
        self._profile = _profile(profile, views)
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
                preprocessor_overrides=placed if has_device(path, NEEDED[1]) else {},
                postprocessor_overrides=(
                    {"device_processor": {"device": "cpu"}} if has_device(path, NEEDED[2]) else {}
                ),
            )
        except Exception as fault:
            raise UserError(
                f"{path} cannot be loaded: {type(fault).__name__}: "
                f"{' '.join(str(fault).split())[:300]}"
            ) from fault
        self._type = str(settings.type)
        self._device = device
        self._execute = execute or int(config.get("n_action_steps") or 1)
        self.reads = _reads(self._profile, self._features)  # type: ignore[misc]
        self.history = steps_seen(config)  # type: ignore[misc]

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """The views of its input features, and its `n_obs_steps`."""
        path = arguments["path"]
        config = read_config(path)
        _demand_lerobot(path)
        views = arguments.get("views")
        profile = _profile(arguments.get("profile", ""), views)
        return _reads(profile, features_of(config, views, path)), steps_seen(config)

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Where the shapes of the policy's features are not those of the task."""
        path = arguments["path"]
        config = read_config(path)
        features = features_of(config, arguments.get("views"), path)
        profile = _profile(arguments.get("profile", ""), arguments.get("views"))
        if profile is not None:
            absent = set(features) - {each.key for each in (*profile.images, *profile.vectors)}
            if absent:
                return _misfit(path, f"the profile {profile.name} lacks its {min(absent)}")
            found: Missing | None = profile.missing(brief, arguments.get("profile_check", "on"))
            return found
        for feature, view in features.items():
            spec = brief.observation.get(view)
            theirs = tuple(config["input_features"][feature]["shape"])
            if spec is None:
                return _misfit(path, f"its {feature} is the view {view}, which the task lacks")
            ours = _shape(spec)
            if theirs != ours:
                return _misfit(path, f"its {feature} is {theirs}, the view {view} is {ours}")
        size, wanted = action_size(config), _size_of_action(brief)
        if wanted is None or size != wanted:
            what = type(brief.action).__name__ if wanted is None else f"{wanted} numbers"
            return _misfit(path, f"its action has {size} numbers, that of the task is {what}")
        return None

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments, and what the profile says."""
        return {**arguments, **profile_identity(arguments.get("profile", ""))}

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """One answer for each turn, each by itself."""
        return [self._answer(turn) for turn in turns]

    def _answer(self, turn: Turn) -> Answer:
        import torch

        settling: Answer | None = None if self._profile is None else self._profile.settling(turn)
        if settling is not None:
            return settling
        with torch_drawn_by(turn, self._device), torch.no_grad():
            self._policy.reset()
            shown = [self._batch(turn, each) for each in turn.observations]
            chunk, memory = self._predicted([self._before(each) for each in shown], turn.memory)
            actions = self._after(chunk).float().cpu().numpy()
        if self._profile is not None:
            now, rest = self._profile.actions(actions, turn.brief)
            executed = [*now, *rest]
        elif isinstance(turn.brief.action, Discrete):
            executed = [round(float(each[0])) for each in actions]
        else:
            executed = list(actions)
        count = (self._profile and self._profile.execute) or self._execute
        return Answer(executed[:count], memory, rest=executed[count:])

    def _batch(self, turn: Turn, observation: Mapping[str, Any]) -> dict[str, Any]:
        """What LeRobot's own evaluation gives the preprocessor: tensors with a batch of one."""
        import torch

        batch: dict[str, Any] = {"task": [turn.instruction]}
        for feature, given in self._values(turn, observation).items():
            value = np.asarray(given)
            if value.dtype == np.uint8 and value.ndim == 3:
                picture = torch.from_numpy(np.ascontiguousarray(value.transpose(2, 0, 1)))
                batch[feature] = picture[None].to(torch.float32) / 255
            else:
                value = value if value.ndim == 3 else value.reshape(-1)
                batch[feature] = torch.from_numpy(np.ascontiguousarray(value, np.float32))[None]
        return batch

    def _values(self, turn: Turn, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Feature -> its value, as the view is or as the profile makes it."""
        if self._profile is None:
            return {feature: observation[view] for feature, view in self._features.items()}
        one = dataclasses.replace(turn, observations=(observation,))
        made = self._profile.observation(one)
        values = {feature: made[feature] for feature in self._features}
        return {key: value[0] for key, value in values.items()} if self._profile.batch else values

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


def _profile(name: str, views: Mapping[str, str] | None) -> Any:
    if not name:
        return None
    from harness.policies.profiles import load_profile

    if views is not None:
        raise UserError("views are said by the profile: leave one of the two out")
    return load_profile(name)


def _reads(profile: Any, features: Mapping[str, str]) -> tuple[str, ...]:
    if profile is not None:
        return tuple(profile.reads)
    return tuple(dict.fromkeys(features.values()))


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
