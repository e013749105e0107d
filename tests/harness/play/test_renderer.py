"""A line says what drew the views that its agent read, and nothing is asked where none was read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paintedtoys
import pytest
import toys
from conftest import Notes, read_lines

from harness.core import Suite, Task, Turn
from harness.core.agent import ALL_VIEWS
from harness.host.interpreters import configured
from harness.perturb.parse import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.live_agent import live
from harness.records.renderer import MOST_RENDERERS, Renderers
from harness.records.results import read_results

EGL = "egl, Mesa, llvmpipe (LLVM 15.0.6, 256 bits), 4.5 Mesa 25.0.7"
PAINTED = paintedtoys.painted_task()
PLAIN = toys.toy_task("plain")
Act = Callable[[Sequence[Turn]], list[Any]]


def still(turns: Sequence[Turn]) -> list[Any]:
    return [turn.brief.action.noop() for turn in turns]


def seeing(view: str, step: int = 0) -> Act:
    """A function that touches a view at one step."""

    def act(turns: Sequence[Turn]) -> list[Any]:
        for turn in turns:
            if turn.step == step:
                assert turn.observation[view] is not None
        return still(turns)

    return act


def played(
    path: Path,
    agent: Act,
    reads: tuple[str, ...],
    tasks: Sequence[Task] = (PAINTED,),
    perturb: str = "",
    **options: Any,
) -> list[dict[str, Any]]:
    """The lines of a run, two episodes of each task."""
    spec = live(agent, reads, 1, f"{path.parent.name}-{path.name}")
    conditions = parse_conditions(perturb, ()) if perturb else ()
    chosen = [(Suite("toys", "toys", (task,), 2), task) for task in tasks]
    plan = make_plan(chosen, spec, episodes=2, seed=0, perturb=conditions)
    play(spec, ["toys"], plan, path, RunOptions(**{"workers": 0, **options}), Notes())
    return read_lines(path)


@pytest.fixture(autouse=True)
def renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paintedtoys.VARIABLE, EGL)


@pytest.mark.parametrize(
    ("agent", "reads", "told"),
    [
        (still, ("image",), EGL),
        (still, ("state", "image"), EGL),
        (still, ("state",), None),
        (still, (), None),
        (still, (ALL_VIEWS,), ""),
        (seeing("state"), (ALL_VIEWS,), ""),
        (seeing("image"), (ALL_VIEWS,), EGL),
        (seeing("image", step=5), (ALL_VIEWS,), EGL),
    ],
    ids=["image", "both", "state", "nothing", "untouched", "touched", "drawn", "drawn-late"],
)
def test_a_line_names_the_renderer_of_what_was_read(
    tmp_path: Path, agent: Act, reads: tuple[str, ...], told: str | None
) -> None:
    asked = paintedtoys.Painted.asked
    lines = played(tmp_path / "run", agent, reads)
    assert [line["timing"].get("renderer") for line in lines] == [told, told]
    # One environment plays both episodes, and is asked once.
    assert paintedtoys.Painted.asked - asked == (told == EGL)


def test_where_the_packages_draw_it_is_empty(tmp_path: Path) -> None:
    lines = played(tmp_path / "run", still, ("image",), [PLAIN])
    assert [line["timing"]["renderer"] for line in lines] == ["", ""]


def test_of_perturbed_episodes_too(tmp_path: Path) -> None:
    for name, agent, told in (("a", seeing("image"), EGL), ("b", seeing("state"), "")):
        lines = played(tmp_path / name, agent, (ALL_VIEWS,), perturb="action_random:1")
        assert [line["timing"]["renderer"] for line in lines] == [told] * 4


def test_the_lanes_of_a_batch_and_an_agent_elsewhere(tmp_path: Path) -> None:
    batch = paintedtoys.painted_task("batch", "BatchedPainted")
    lines = played(tmp_path / "run", still, ("image",), [batch], lanes=2)
    assert [line["timing"]["renderer"] for line in lines] == [EGL, EGL]


def test_in_another_interpreter_it_is_the_one_there(tmp_path: Path) -> None:
    batch = paintedtoys.painted_task("batch", "BatchedPainted")
    with configured(
        [f"paintedtoys:{kind}={sys.executable}" for kind in ("Painted", "BatchedPainted")]
    ):
        lines = played(tmp_path / "run", still, ("image",), [PAINTED, batch], lanes=2)
    assert [line["timing"]["renderer"] for line in lines] == [EGL] * 4


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  two\n lines ", "two lines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_what_an_adapter_says_is_one_short_printable_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kept: str
) -> None:
    monkeypatch.setenv(paintedtoys.VARIABLE, said)
    lines = played(tmp_path / "run", still, ("image",))
    assert {line["timing"]["renderer"] for line in lines} == {kept}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("broken", "view: RuntimeError: the context is gone"),
        ("7", "view: what renderer_info() returns is 7: expected a text"),
    ],
)
def test_an_adapter_that_cannot_say_it_fails_the_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    monkeypatch.setenv(paintedtoys.VARIABLE, said)
    lines = played(tmp_path / "run", still, ("image",), [PAINTED, PLAIN])
    errors = [line for line in lines if line["status"] == "error"]
    assert [line["task"] for line in errors] == [PAINTED.id] * 2
    assert all(line["error"].startswith(reason) for line in errors)
    assert [line["task"] for line in lines if line not in errors] == [PLAIN.id] * 2
    # Who reads nothing drawn is not concerned.
    lines = played(tmp_path / "state", still, ("state",))
    assert [line["status"] for line in lines] == ["finished"] * 2


def test_of_a_strangers_lines_only_texts_count(tmp_path: Path) -> None:
    played(tmp_path / "run", still, ("image",))
    (one, _) = read_results(tmp_path / "run")
    found = Renderers()
    for told in (None, 3, ["egl"], "", "\x1b[2J", *map(str, range(100))):
        one.timing["renderer"] = told  # type: ignore[index]
        found.add(one)
    names = found.by_task()[PAINTED.id]
    assert r"\x1b[2J" in names
    assert len(names) == MOST_RENDERERS
