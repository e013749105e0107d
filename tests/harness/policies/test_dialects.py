"""`vla-eval:ws://...` and `starvla:ws://...` against servers that behave as those projects' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Run
from policyservers import starvla_server, turn_of_a_toy, vla_eval_server

from harness.core import UserError
from harness.policies.starvla import StarVLA
from harness.policies.vla_eval import VlaEval

Play = Callable[..., Run]
GLIDE = [toys.toy_task("glide", action="box")]
KEYS = {"action_chunk_size": 4, "available_unnorm_keys": ["toys"], "default_unnorm_key": "toys"}


def ahead(state: np.ndarray) -> np.ndarray:
    return np.clip(state[2:] - state[:2], -1, 1).astype(np.float32)


def play(play_toys: Play, kind: str, url: str, **more: Any) -> Run:
    args = {"address": url, "reach_s": 2.0, "timeout_s": 20.0, **more.pop("args", {})}
    return play_toys(f"harness.policies.{kind}", tasks=GLIDE, args=args, out="there", **more)


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_model_server_of_vla_eval(play_toys: Play, lanes: int) -> None:
    here = play_toys("toys:GoodAgent", tasks=GLIDE, out="here", lanes=lanes)
    steps: list[int] = []

    def policy(episode: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
        episode["step"] = episode.get("step", -1) + 1
        steps.append(episode["step"])
        assert set(seen) == {"task_description", "images", "state"}
        assert seen["images"]["image"].shape == (16, 16, 3)
        return {"actions": ahead(seen["state"])}

    with vla_eval_server(policy) as url:
        there = play(play_toys, "vla_eval:VlaEval", url, lanes=lanes)
    assert there.results == here.results
    # Each episode begins with a start, over the connections of those that are over.
    assert steps.count(0) == len(here.results)


def test_what_vla_evals_server_reports_is_the_agents_failure(play_toys: Play) -> None:
    def policy(episode: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("no weights")

    with vla_eval_server(policy) as url:
        run = play(play_toys, "vla_eval:VlaEval", url, episodes=1)
    assert [line["status"] for line in run.results] == ["agent_error"]
    reason = "the policy failed: observation_failed: ValueError: no weights"
    assert run.results[0]["error"] == reason


def test_an_episode_whose_connection_is_lost_cannot_go_on_there() -> None:
    calls = [0]

    def policy(episode: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any] | None:
        calls[0] += 1
        return None if calls[0] in (1, 4) else {"actions": ahead(seen["state"])}

    with vla_eval_server(policy) as url:
        agent = VlaEval(url, reach_s=2.0, timeout_s=20.0)
        # Lost at its first turn, it begins again over another connection.
        assert agent.act([turn_of_a_toy()])[0].actions
        assert agent.act([turn_of_a_toy(step=1)])[0].actions
        lost = agent.act([turn_of_a_toy(step=2)])[0]
        assert (lost.status, "is lost" in lost.reason) == ("error", True)
        agent.end(["e"])
        assert agent.act([turn_of_a_toy()])[0].actions
        agent.close()


def test_another_version_of_the_protocol_is_refused() -> None:
    with (
        vla_eval_server(lambda episode, seen: {}, version=2) as url,
        pytest.raises(UserError, match="speaks the version 2 of the protocol, not 1"),
    ):
        VlaEval(url)


def test_a_policy_server_of_starvla(play_toys: Play) -> None:
    here = play_toys("toys:GoodAgent", tasks=GLIDE, out="here", lanes=3)
    seen: list[Any] = []

    def policy(payload: dict[str, Any]) -> dict[str, Any]:
        seen.append(payload)
        actions = [[ahead(each["state"])] * 4 for each in payload["examples"]]
        return {"actions": np.array(actions)}

    with starvla_server(policy, KEYS) as url:
        there = play(play_toys, "starvla:StarVLA", url, args={"execute": 1}, lanes=3)
    assert there.results == here.results
    assert set(seen[0]) == {"examples", "unnorm_key", "do_sample"}
    example = seen[0]["examples"][0]
    assert set(example) == {"image", "lang", "state"}
    assert [image.shape for image in example["image"]] == [(16, 16, 3)]


def test_what_starvlas_server_reports_is_the_agents_failure(play_toys: Play) -> None:
    def policy(payload: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("no weights")

    with starvla_server(policy, KEYS) as url:
        run = play(play_toys, "starvla:StarVLA", url, episodes=1)
    assert [line["status"] for line in run.results] == ["agent_error"]
    assert run.results[0]["error"] == "the policy failed: no weights"


@pytest.mark.parametrize(
    ("told", "key", "words"),
    [
        ({"available_unnorm_keys": ["a", "b"]}, "", "name one of a, b"),
        ({"available_unnorm_keys": ["a", "b"]}, "c", "no statistics 'c', but a, b"),
    ],
)
def test_statistics_that_are_not_clear_are_refused(
    told: dict[str, Any], key: str, words: str
) -> None:
    with starvla_server(lambda payload: {}, told) as url, pytest.raises(UserError, match=words):
        StarVLA(url, unnorm_key=key)


def test_an_answer_of_another_shape_is_the_agents_failure() -> None:
    with starvla_server(lambda payload: {"actions": np.zeros((2, 4, 2))}, KEYS) as url:
        agent = StarVLA(url)
        answer = agent.act([turn_of_a_toy()])[0]
        agent.close()
    assert "not (1, steps, size)" in answer.reason
