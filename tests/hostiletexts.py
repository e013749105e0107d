"""A run in which every text is a stranger's, and what must hold of all that is printed of it."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from resultlines import line_of

from harness.core import Normaliser, Perturbation, Reference, Task
from harness.records.plan import CaseIndex, NotRun, Plan, PlanItem

TEXTS = {
    "escapes": "\x1b[2J\x1b]8;;http://evil.example\x07x\x1b]8;;\x07\x9b31m\x7f\x00\x08",
    "order": "\u202egnp.exe\u2066\u200b\ufeff\U000e0041\u2028x\x85y",
    "surrogate": "half \ud83d of it",
    "image": "![x](http://evil.example/p.png) [a](javascript:x) http://evil.example www.evil.org",
    "html": "<img src=x onerror=y>|`<script>`|&lt;b&gt; <!-- --> @someone a@evil.example",
    "lines": "a\n\n# b\r\n- c\n\n| d | e |\n|---|---|\n=== success\n::set-output name=a::b",
    "command": "::error file=x::y ##[set-output name=a;]b",
    "latex": "\\input{/etc/passwd}\\write18{x} }{ $^^5c_~# % & \\end{tabular} [2em]",
    "bracket": "[2em] \\\\*",
    "formula": "=cmd|' /C calc'!A0",
    "sign": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(A1:A9)",
    "mathematics": "$\\frac{$ _x_ $$",
    "markup": "[bold]x[/bold] [link=http://evil.example]y[/link] :smile:",
    "block": "- 1. # > === --- ```",
    "digits": "1" * 5000,
    "long": "long " * 2000,
}
PARTS = Perturbation("action_noise", 1, {"sigma": 0.05})


def hostile_run(odd: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """run.json and the lines of episodes.jsonl, with `odd` wherever a text may stand."""
    short = odd[:200]
    figures = (
        Reference(odd, 0.5, odd, odd, odd, False, "odd", odd),
        Reference(f"{odd} ({odd})", 0.25, "success_rate", odd, odd, True, "odd", odd),
        Reference(odd, 0.75, odd, odd, "", True),
    )
    ends = Normaliser(0.0, 10.0, odd, odd, odd)
    tasks = (
        Task(f"toy/{odd}@1", "planning", "toys:ToyAdapter", rule=odd, references=figures),
        Task(f"{odd}/b@1", "games", "toys:ToyAdapter", rule="other", tags=(odd,)),
        Task("toy/c@1", "games", "toys:ToyAdapter", success=None, rule=odd, normaliser=ends),
        Task(f"toy/{odd}raw@1", "games", "toys:ToyAdapter", success=None, score=odd),
    )
    items = tuple(PlanItem(odd, task, 4, odd, {short: odd}, odd) for task in tasks)
    conditions = ((PARTS,), (Perturbation(short, 2, {odd: odd}),), (PARTS, Perturbation(short, 2)))
    absent = tuple(
        NotRun(f"toy/{odd}{k}@1", domain, odd, odd, odd, condition, figures)
        for k, domain in enumerate(("ui", "games"))
        for condition in (None, f"{odd}:1")
    )
    plan = Plan(items, 0, conditions, absent)
    agent = {
        "name": odd,
        "entry": odd,
        "args": {odd: odd},
        "reads": [odd, "image"],
        "history": 1,
        "privileged": True,
        "fingerprint": odd,
    }
    run = {
        "schema": 1,
        "bench": odd,
        "commit": odd,
        "command": odd,
        "agent": agent,
        "suites": [odd],
        "machine": {odd: odd},
        "created": odd,
        "finished": odd,
        "stopping": odd,
        "plan": plan.to_json(),
    }
    lines = []
    for number in range(len(items)):
        for condition in range(len(plan.conditions)):
            for episode in range(4):
                rated = items[number].task.success is not None
                outcome: dict[str, Any] = {
                    "status": "finished",
                    "success": (episode + condition) % 2 == 0 if rated else None,
                    "score": float(episode),
                    "ended": odd,
                    "error": None,
                }
                if rated and episode == 3:
                    outcome |= {"status": "agent_error", "success": False, "score": None}
                    outcome |= {"ended": "agent_error", "error": odd}
                index = CaseIndex(number, condition, episode)
                lines.append(line_of(index, outcome, plan, metrics={odd: 0.5}))
    return run, lines


def write_hostile_run(path: Path, odd: str, **changes: Any) -> Path:
    """The directory of that run."""
    run, lines = hostile_run(odd)
    path.mkdir()
    (path / "run.json").write_text(json.dumps(run | changes))
    (path / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def assert_harmless(text: str) -> None:
    """Nothing controls a terminal, hides, or changes the order."""
    text.encode()
    hidden = {"Cc", "Cs", "Zl", "Zp", "Cf"}
    assert not {c for c in text if unicodedata.category(c) in hidden} - {"\n"}


def assert_obeyed_by_no_runner(text: str) -> None:
    """No line is a command to a runner of GitHub."""
    assert not re.search(r"^\s*::|##\[", text, re.MULTILINE)
