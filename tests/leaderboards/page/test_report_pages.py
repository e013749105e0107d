"""The pages of `bench report --stages`, `--seen` and `compare --stages` in a real browser."""

from __future__ import annotations

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from harness.probes.stage_changes import StageChange, StageChanges
from harness.stats import Estimate, Interval
from leaderboards.page.seen_page import seen_page
from leaderboards.page.stage_changes_page import stage_changes_page
from leaderboards.page.stages_page import stages_page
from leaderboards.seen import AxisCount, SeenReport, TaskSeen
from leaderboards.seen_gap import Control, Gap
from leaderboards.stages import Funnel, ModeShare, ModesOfDomain, StageReport, StageShare

HOSTILE = "</script><script>document.title='taken'</script><img/src=x/onerror=alert(1)>"


def stages() -> StageReport:
    """Two tasks of one domain with stages of their own."""
    share = Estimate(0.5, 0.3, 0.7)
    funnels = tuple(
        Funnel(
            domain="navigation",
            tasks=(f"toys/{HOSTILE}{number}@1",),
            n=20,
            unknown=1,
            stages=(
                StageShare(stage="goal seen", reached=share),
                StageShare(stage=HOSTILE, reached=Estimate(0.25, 0.1, 0.5)),
            ),
        )
        for number in range(2)
    )
    modes = tuple(
        ModeShare(mode=mode, share=share, episodes=10, also=0, tasks=2)
        for mode in ("success", "loop")
    )
    ends = ModesOfDomain(
        domain="navigation", tasks=2, n=40, unknown=2, modes=modes, never=("never_moved",)
    )
    return StageReport(
        run="runs/a", agent=HOSTILE, funnels=funnels, modes=(ends,), without={}, unknown={"lost": 2}
    )


def seen() -> SeenReport:
    """A gap along one axis and one of the starts, with another agent's."""

    def gap(axis: str, value: float) -> Gap:
        return Gap(
            axis=axis,
            tasks=2,
            n_seen=20,
            n_unseen=20,
            seen=0.9,
            unseen=0.9 - value,
            gap=Estimate(value, value - 0.1, value + 0.1),
            better=True,
            controls=(Control(agent="uniform", n=40, gap=Estimate(0.0, -0.1, 0.1)),),
        )

    return SeenReport(
        run="runs/a",
        agent="toy",
        description=HOSTILE,
        leaked=3,
        starts=40,
        tasks=(TaskSeen(task="toys/a@1", n=20, axes=(AxisCount(axis="start", seen=3, known=20),)),),
        gaps=(gap("start", 0.3),),
        between=(),
        continuous=(),
        uncovered=(),
        unknown={},
        resampled=gap("prescribed starts", 0.2),
    )


def changes() -> StageChanges:
    """A stage and a mode, of which one moved."""

    def row(kind: str, name: str, value: float) -> StageChange:
        return StageChange(
            kind=kind, domain="navigation", name=name, tasks=2, pairs=40, base=0.4,
            new=0.4 + value, difference=Interval(value, value - 0.1, value + 0.1), p=0.01,
            adjusted=0.02, moved=value > 0.1,
        )  # fmt: skip

    return StageChanges(
        base=HOSTILE, new="runs/b", alpha=0.05, unknown=1, notes=(),
        rows=(row("stage", HOSTILE, 0.0), row("mode", "loop", 0.3)),
    )  # fmt: skip


def readable(page: Page, width: int) -> None:
    assert page.title() != "taken"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []


def test_the_page_of_stages_can_be_read_and_sorted(opened: Callable[..., Page]) -> None:
    page = opened(stages_page(stages()), 390, "dark")
    readable(page, 390)
    assert page.locator("figure[data-plot] svg").count() == 3
    rows = page.locator("#stages tbody tr")
    assert rows.count() == 4
    assert all("navigation" in rows.nth(number).inner_text() for number in range(4))
    assert "50.0 % of 40 episodes succeeded; most others: loop" in page.inner_text("header")


def test_the_page_of_what_moved_can_be_read(opened: Callable[..., Page]) -> None:
    page = opened(stage_changes_page(changes()), 390, "light")
    readable(page, 390)
    assert page.locator("figure[data-plot]").count() == 4
    assert "moved: navigation: mode loop +30.0 points" in page.inner_text("header")
    assert "+30.0" in page.locator("#stages-and-failure-modes tbody").inner_text()


def test_the_page_of_what_was_seen_can_be_read(opened: Callable[..., Page]) -> None:
    page = opened(seen_page(seen()), 1200, "light")
    readable(page, 1200)
    assert page.locator("figure[data-plot] svg").count() >= 2
    assert "70.0" in page.locator("#prescribed-against-resampled-starts tbody").inner_text()
    assert "60.0" in page.locator("#seen-against-unseen tbody").inner_text()
