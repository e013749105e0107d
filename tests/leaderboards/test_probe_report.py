"""`bench report` of a probe's folder, and the runs that it names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said
from findings import Made
from reports import item, line, run_of, write_report_run

from harness.core import UserError
from harness.probes.result_file import read_probe, write_probe
from leaderboards.probe_report import probe_report
from leaderboards.report import load_report
from leaderboards.report_tables import who_lines


def written(folder: Path, *runs: str) -> Path:
    """The file of a finding."""
    return write_probe(
        folder, Made(), probe="memory", title="odd: what it costs",
        command="bench probe memory --agent odd", runs=runs,
    )  # fmt: skip


def test_every_format_has_the_figures(tmp_path: Path) -> None:
    told = read_probe(written(tmp_path))
    for format in ("text", "markdown", "latex"):
        page = probe_report(told, format)
        assert "50 (21 to 79)" in page, format
        assert "odd: what it costs" in page, format
        assert "What it comes to is told first." in page, format
    assert json.loads(probe_report(told, "json")) == Made().to_json()
    assert "made by: bench probe memory --agent odd" in probe_report(told, "markdown")
    with pytest.raises(UserError, match="a probe has no csv"):
        probe_report(told, "csv")


def test_the_command_prints_it(bench_here: Callable[..., Said]) -> None:
    written(Path("probed"))
    for words in (("probed",), ("probed/probe.json",)):
        said = bench_here("report", *words)
        assert said.code == 0
        assert said.out.startswith("odd: what it costs\n\nWhat it comes to")
    refused = bench_here("report", "probed", "--against", "gea")
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "not a run: leave --against out" in refused.err


def test_a_run_says_which_probe_it_is_part_of(tmp_path: Path) -> None:
    task = item("toy/a@1", episodes=2)
    runs = {}
    for name in ("probed/runs/base/seed-0", "probed/other"):
        lines = [line(task, k, success=True) for k in range(2)]
        (tmp_path / name).mkdir(parents=True)
        runs[name] = write_report_run(tmp_path / name, run_of(task), lines)
    written(tmp_path / "probed", "runs/base/seed-0")
    told = who_lines(load_report(runs["probed/runs/base/seed-0"]))
    (mention,) = [each for each in told if "bench probe memory" in each]
    assert mention.endswith(f"bench report {tmp_path / 'probed'}")
    assert not load_report(runs["probed/other"]).probes
    (tmp_path / "probed" / "probe.json").write_text("{}")
    assert not load_report(runs["probed/runs/base/seed-0"]).probes
