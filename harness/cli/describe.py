"""`bench describe`: what a policy sees and does in a task."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.output import DONE

if TYPE_CHECKING:
    from harness.core import Field
    from harness.policies.description import Description, SpecRow

__all__ = ["describe"]

WIDTH = 80
WHEN = {
    "ever": "at any step, which ends the episode",
    "once": "at any step; the episode goes on",
    "end": "at the last step",
    None: "there is none, only a score",
}
MOST_OBJECTS = 20
LABEL = 13
"""Columns of what stands before each line."""


def describe(
    task: Annotated[
        str, typer.Argument(help="A task of `bench list tasks`, with or without its version.")
    ],
    suite: Annotated[
        str | None,
        typer.Option(help="The suite that has the task, where it is not one of bench's own."),
    ] = None,
    view: Annotated[
        str | None, typer.Option(help="Which view to draw. Default: the first picture.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the first picture of an episode to this PNG file.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Say what a policy sees and does in a task, and which profiles fit it."""
    from harness.cli.supervisor import relay

    def work() -> tuple[str, str, int]:
        from harness.core import UserError

        if view is not None and out is None:
            raise UserError("--view says what to draw: say where with --out FILE.png")
        found = described(task, suite, view, out is not None)
        said = ""
        if out is not None and found.picture is not None:
            said = _write(found, out)
        told = json.dumps(found.to_json(), indent=1) if format == "json" else as_text(found)
        return told, said, DONE

    return relay(work)


def described(task: str, suite: str | None, view: str | None, picture: bool) -> Description:
    """The description of the task of this name. Raises UserError with the remedy."""
    from types import SimpleNamespace

    from harness.cli import names
    from harness.core import UserError
    from harness.core.errors import suggest
    from harness.play.inference import Watch
    from harness.play.watchdog import Interrupts, Watchdog
    from harness.policies.description import describe as description_of
    from harness.records.catalogue import select_tasks

    if suite is None:
        suite = task if task.startswith("gym:") else ",".join(names.suite_table())
    suites = names.suites_named(suite)
    known = [each for _, each in select_tasks(suites, None)]
    chosen = known if task == suite else [each for each in known if task in (each.id, each.name)]
    if len(chosen) != 1:
        hint = suggest(task, [each.name for each in known]) or "`bench list tasks` shows them"
        raise UserError(f"there is no task {task!r}; {hint}")
    (found,) = chosen
    having = [each.name for each in suites if any(one.id == found.id for one in each.tasks)]
    watch = Watch()
    with Interrupts(SimpleNamespace(interrupted=False)) as interrupts, Watchdog(watch, interrupts):
        return description_of(found, having, watch, view, picture)


def _write(found: Description, out: Path) -> str:
    """Write the picture; returns what is said of it. Raises UserError."""
    from harness.core import UserError
    from harness.policies.chat.png import encode_png

    assert found.picture is not None
    name, picture = found.picture
    try:
        out.write_bytes(encode_png(picture))
    except OSError as fault:
        raise UserError(f"cannot write {out}: {fault.strerror}") from None
    return f"{name} of the first observation: {out}"


def as_text(found: Description) -> str:
    """The description for a terminal of 80 columns."""
    task = found.task
    horizon = f"{task.max_steps} steps" if task.max_steps else "the simulator's"
    if found.control_hz is not None:
        horizon += f", {found.control_hz:g} decisions per second"
    lines = [
        f"{task.id}: {task.domain}, of {', '.join(found.suites)}",
        "",
        _labelled("instruction", found.instruction or "(none)"),
        *([_labelled("rule", task.rule)] if task.rule else []),
        _labelled("success", WHEN[task.success]),
        _labelled("score", task.score),
        _labelled("horizon", horizon),
        _labelled("body", found.embodiment or "(not described)"),
        _labelled("simulator", found.simulator or "(not described)"),
        "",
        _views(found.views),
    ]
    for row in (*found.views, found.action):
        if row.layout or (row is found.action):
            lines += ["", _spec(row)]
    lines += ["", *_skills(found)] if found.skills else []
    fit = [name for name, codes in found.profiles.items() if not codes]
    others = [f"{name} ({', '.join(codes)})" for name, codes in found.profiles.items() if codes]
    if found.action.shape:
        lines += ["", _labelled("profiles", ", ".join(fit) or "none of bench's own fits")]
        lines += [_labelled("not fitting", "; ".join(others))] if others else []
    else:
        lines += ["", _labelled("profiles", "none: they are of policies that answer vectors")]
    return "\n".join(lines)


def _skills(found: Description) -> list[str]:
    """What a planner can call, and of which objects in the first episode."""
    lines = []
    for number, skill in enumerate(found.skills):
        typed = ", ".join(f"{name}: {kind}" for name, kind in skill.parameters)
        lines.append(_labelled("" if number else "skills", f"{skill.name}({typed}): {skill.what}"))
    for kind, names in found.objects.items():
        more = f" and {len(names) - MOST_OBJECTS} more" if len(names) > MOST_OBJECTS else ""
        lines.append(_labelled("", f"{kind}: {', '.join(names[:MOST_OBJECTS])}{more}"))
    return lines


def _labelled(label: str, text: str) -> str:
    from harness.core.text import printable

    return textwrap.fill(
        printable(" ".join(text.split())),
        WIDTH,
        initial_indent=label.ljust(LABEL),
        subsequent_indent=" " * LABEL,
        break_on_hyphens=False,
    )


def _views(views: tuple[SpecRow, ...]) -> str:
    from harness.play.text_table import text_table

    rows = []
    for row in views:
        marks = [*(["drawn"] if row.drawn else []), *(["privileged"] if row.privileged else [])]
        rows.append([row.name, _shape(row), _bounds(row), row.unit, ", ".join(marks)])
    return text_table(["view", "what", "from, to", "unit", ""], rows, width=WIDTH)


def _shape(row: SpecRow) -> str:
    return f"{row.dtype} {row.shape}" if row.dtype else row.kind


def _bounds(row: SpecRow) -> str:
    if row.low is None and row.high is None:
        return ""
    if isinstance(row.low, list) or isinstance(row.high, list):
        return "by element"
    return f"{_number(row.low)}, {_number(row.high)}"


def _range(row: SpecRow) -> str:
    return f"from {_number(row.low)} to {_number(row.high)}"


def _number(bound: Any) -> str:
    return "any" if bound is None else f"{bound:g}"


def _spec(row: SpecRow) -> str:
    """A table of the layout, or the spec's meaning."""
    from harness.play.text_table import text_table

    head = f"{row.name}: {_shape(row)}"
    bounds = _bounds(row)
    if bounds:
        head += ", bounds by element" if bounds == "by element" else f", {_range(row)}"
    if not row.layout:
        said = [", ".join(f"{number} {name}" for number, name in enumerate(row.names)), row.meaning]
        text = "; ".join(filter(None, said)) or "(not described)"
        return f"{head}\n{_labelled('', text)}"
    rows = []
    begin = 0
    for field in row.layout:
        end = begin + field.size - 1
        rows.append(
            [
                f"{begin}-{end}" if field.size > 1 else f"{begin}",
                field.name,
                field.kind,
                field.frame,
                _amount(field),
                field.representation or field.sign,
            ]
        )
        begin = end + 1
    columns = ["element", "field", "kind", "frame", "1 is", ""]
    return f"{head}\n{text_table(columns, rows, width=WIDTH)}"


def _amount(field: Field) -> str:
    if field.scale is None:
        return "unknown"
    scale = "by element" if isinstance(field.scale, tuple) else f"{field.scale:g}"
    return scale if field.unit in ("", "1") else f"{scale} {field.unit}"
