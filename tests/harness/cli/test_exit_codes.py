"""Exit 0 and 1 come from a count, whatever an agent or a simulator does to its process."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Said, bench_there, read_lines
from enders import WAYS

DONE, WRONG_USE, WITH_ERRORS, INTERRUPTED = 0, 2, 4, 130
PLANNED = 4
RUN = ("run", "--suite", "enders:TWO", "--agent-timeout", 1, "--out", "run")
FEW_WAYS = ("os._exit", "cancelled", "hang")


def agent(where: str, how: str) -> tuple[object, ...]:
    args = ("--agent-arg", f"where={where}", "--agent-arg", f"how={how}")
    return ("--agent", "enders:Ender", *args)


def scored(folder: Path) -> list[str]:
    return [line["status"] for line in read_lines(folder / "run") if line["status"] != "error"]


def check(said: Said, folder: Path) -> None:
    """No success without a whole count, no verdict, no fault of ours, and a reason."""
    statuses = scored(folder)
    if said.code == DONE:
        assert statuses == ["finished"] * PLANNED
    else:
        assert said.code in (WRONG_USE, WITH_ERRORS, INTERRUPTED), said
        assert said.err.strip(), "no word about it"
    assert "bug in bench" not in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("how", WAYS)
def test_agents_that_end_the_process_they_play_in(tmp_path: Path, how: str) -> None:
    check(bench_there(*RUN, *agent("act", how), "--workers", 0, cwd=tmp_path), tmp_path)


@pytest.mark.parametrize("how", FEW_WAYS)
@pytest.mark.parametrize("where", ["init", "declares", "end", "close"])
def test_agents_that_do_so_at_other_places(tmp_path: Path, where: str, how: str) -> None:
    if where in ("init", "declares") and how == "hang":
        pytest.skip("a model may take any time to load: Ctrl-C ends that")
    said = bench_there(*RUN, *agent(where, how), "--workers", 0, cwd=tmp_path)
    check(said, tmp_path)
    if where == "close":
        assert len(scored(tmp_path)) == PLANNED, "the results stand"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["os._exit", "sys.exit", "cancelled"])
def test_agents_that_do_so_in_workers(tmp_path: Path, how: str) -> None:
    check(bench_there(*RUN, *agent("act", how), "--workers", 2, cwd=tmp_path), tmp_path)


@pytest.mark.parametrize("text", ["import os; os._exit(0)", "import sys; sys.exit(0)"])
@pytest.mark.parametrize("command", ["run", "gate"])
def test_modules_that_end_the_process_when_they_are_imported(
    tmp_path: Path, runs: Path, command: str, text: str
) -> None:
    (tmp_path / "leaver.py").write_text(text + "\n")
    words = (
        RUN if command == "run" else ("gate", "--base", runs / "base", "--out", "run", "--trust")
    )
    said = bench_there(*words, "--agent", "leaver:Agent", "--workers", 0, cwd=tmp_path)
    assert said.code == WRONG_USE
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("where", "how"),
    [*(("step", how) for how in WAYS), *(("reset", how) for how in FEW_WAYS)],
)
def test_simulators_that_end_the_process(tmp_path: Path, where: str, how: str) -> None:
    suite = f"enders:{where}_{how.replace('.', '_')}"
    words = ("run", "--agent", "uniform", "--suite", suite, "--out", "run", "--workers", 0)
    said = bench_there(*words, cwd=tmp_path)
    if how == "atexit":
        assert (said.code, scored(tmp_path)) == (DONE, ["finished"] * 2)
        return
    assert said.code in (WRONG_USE, WITH_ERRORS, INTERRUPTED), said
    assert "bug in bench" not in said.err


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    words = ("run", "--suite", "enders:TWO", "--workers", 0)
    said = bench_there(*words, "--agent", "toys:GoodAgent", "--out", "base", cwd=folder)
    assert said.code == DONE, said.err
    return folder


@pytest.mark.parametrize(
    ("where", "how"),
    [
        *(("act", how) for how in ("os._exit", "sys.exit", "cancelled", "kill", "hang")),
        *(("init", how) for how in ("os._exit", "sys.exit")),
    ],
)
def test_a_gate_never_passes_on_nothing(tmp_path: Path, runs: Path, where: str, how: str) -> None:
    words = ("gate", "--base", runs / "base", "--agent-timeout", 1, "--out", "run", "--trust")
    said = bench_there(*words, *agent(where, how), "--workers", 0, cwd=tmp_path)
    if said.code == 1:
        # Every episode ended in an error of the agent: a verdict from a whole count.
        assert scored(tmp_path) == ["agent_error"] * PLANNED
    else:
        assert said.code in (WRONG_USE, 3, WITH_ERRORS), said
    assert "bug in bench" not in said.err


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_replay_that_ends_the_process_is_no_verdict(tmp_path: Path, workers: int) -> None:
    """The simulator leaves the process, but only in the replay."""
    (tmp_path / "later.py").write_text(
        "import os\n"
        "from toys import ToyAdapter, toy_task\n"
        "from harness.core import Suite\n"
        "class Later(ToyAdapter):\n"
        "    def step(self, action):\n"
        "        if os.path.exists('now'):\n"
        "            os._exit(0)\n"
        "        return super().step(action)\n"
        "S = Suite('later', 'later', (toy_task('later', adapter='later:Later'),), 2)\n"
    )
    words = ("run", "--agent", "uniform", "--suite", "later:S", "--workers", 0, "--out", "run")
    assert bench_there(*words, cwd=tmp_path).code == DONE
    (tmp_path / "now").touch()
    said = bench_there("verify", "run", "--trust", "--workers", workers, cwd=tmp_path)
    # In a worker, each lost episode is a difference that was counted: not verified.
    assert said.code == (1 if workers else WITH_ERRORS), said
    assert "ended" in (said.out + said.err)


def test_closed_standard_streams(tmp_path: Path) -> None:
    """What a library prints must not end up in a file of the run."""
    words = (*RUN, "--agent", "toys:GoodAgent", "--workers", 0)
    for number, closed in enumerate(("<&-", ">&-", "2>&-", "<&- >&- 2>&-")):
        shell = ("sh", "-c", f'exec "$@" {closed}', "sh")
        folder = tmp_path / str(number)
        folder.mkdir()
        said = bench_there(*words, cwd=folder, under=shell)
        assert said.code == DONE, said
        assert scored(folder) == ["finished"] * PLANNED
