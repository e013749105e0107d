"""What came of a comparison of backends with their adapters."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.grammar import counted
from harness.play.text_table import text_table

__all__ = ["BackendDifference", "BackendReport", "BackendRow"]


@dataclass(frozen=True, kw_only=True)
class BackendDifference:
    """The first thing that differs in an episode."""

    seed: int
    player: str
    """Whose actions were played: `expert` or `uniform`."""
    step: int
    """0 is the reset."""
    what: str
    ordinary: str
    backend: str

    def __str__(self) -> str:
        where = f"step {self.step}" if self.step else "the reset"
        return (
            f"seed {self.seed} ({self.player}), {where}: {self.what} {self.backend} instead of "
            f"{self.ordinary}"
        )


@dataclass(frozen=True, kw_only=True)
class BackendRow:
    """What came of one task."""

    task: str
    episodes: int
    steps: int
    views: tuple[str, ...]
    """The views that were compared."""
    absent: tuple[str, ...]
    """Views of the adapter that the backend does not offer."""
    differences: tuple[BackendDifference, ...]
    """One for each episode that differs."""

    @property
    def equal(self) -> bool:
        """Whether no episode differs."""
        return not self.differences


@dataclass(frozen=True, kw_only=True)
class BackendReport:
    """The comparison of a backend on several tasks."""

    backend: str
    rows: tuple[BackendRow, ...]
    not_run: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether no episode of any task differs."""
        return all(row.equal for row in self.rows)

    def table(self) -> str:
        """A row for each task."""
        head = ["task", "episodes", "steps", "differ", "views", "first difference"]
        return text_table(
            head,
            [
                [
                    row.task,
                    row.episodes,
                    row.steps,
                    f"{len(row.differences) / row.episodes:.0%}",
                    len(row.views),
                    str(row.differences[0]) if row.differences else "",
                ]
                for row in self.rows
            ],
        )

    def as_text(self) -> str:
        """The verdict, in a few lines."""
        differ = [row for row in self.rows if not row.equal]
        count = counted(len(self.rows), "task")
        lines = [f"{row} was not compared" for row in self.not_run]
        absent = sorted({name for row in self.rows for name in row.absent})
        if absent:
            lines.append(f"{self.backend} does not offer {', '.join(absent)}")
        if not differ:
            steps = sum(row.steps for row in self.rows)
            lines.append(
                f"{self.backend} is equal on {count}, {steps} steps: bench run --backend "
                f"{self.backend} plays them"
            )
        else:
            lines.append(
                f"{self.backend} differs on {len(differ)} of {count}: those are other tasks, and "
                f"bench run --backend {self.backend} refuses them"
            )
        return "\n".join(lines)
