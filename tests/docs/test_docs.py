"""Every example in the documents is run, and what it prints is compared with the page.

A fenced block of README.md, CONTRIBUTING.md, docs/*.md, docs/policies/*.md or
docs/probes/*.md is one of:
    python, toml  its first line is `# file: NAME`; the block is written to NAME in a folder that
                  the page has for itself
    console       a line `$ COMMAND` is run there by bash; it must exit 0, or N where it ends in
                  `# exit N`. Every other line must be a line of what was printed, in that order;
                  times, rulers and spaces may differ (see printed.py), `...` stands for any lines
    sh            commands that no test can run; the first line is `# not run by a test: REASON`
    text, json    to be read
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from printed import ROOT, commands, masked_output, place, run

from harness.cli.app import app
from harness.core import Result
from leaderboards.flatten import columns_of
from leaderboards.schema import ESTIMATES, Group, Scores, TaskRow

DOCS = ROOT / "docs"
RUN = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *(
        page
        for glob in ("*.md", "policies/*.md", "probes/*.md")
        for page in sorted(DOCS.glob(glob))
    ),
]
OTHERS = [ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*/*.md"))]
ALL = list(dict.fromkeys([*RUN, *OTHERS]))
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

names = pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
pages = pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)


def blocks(page: Path) -> Iterator[tuple[str, list[str]]]:
    """(language, lines) of every fenced block."""
    language, lines = None, list[str]()
    for line in page.read_text().splitlines():
        if not line.startswith("```"):
            lines.append(line)
        elif language is None:
            language, lines = line[3:].strip(), []
        else:
            yield language, lines
            language = None
    assert language is None, f"{page.name}: a block is not closed"


def prose(page: Path) -> str:
    """The page without its blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@pages
def test_what_the_page_shows_runs(page: Path, tmp_path: Path) -> None:
    for language, lines in blocks(page):
        assert language in ("python", "toml", "console", "sh", "text", "json"), (
            f"{page.name}: a block without a known language"
        )
        if language in ("python", "toml"):
            named = re.fullmatch(r"# file: ([\w/.-]+)", lines[0])
            assert named, (
                f"{page.name}: a {language} block begins with `# file: NAME`, this one with "
                f"{lines[0]!r}"
            )
            (tmp_path / named[1]).write_text("\n".join(lines[1:]) + "\n")
        elif language == "sh":
            assert lines[0].startswith("# not run by a test: "), (
                f"{page.name}: a sh block begins with `# not run by a test: REASON`; what can "
                "run is `console`"
            )
        elif language == "console":
            play(lines, tmp_path)


def play(lines: list[str], folder: Path) -> None:
    for command, code, shown in commands(lines):
        got, printed = run(command, folder)
        output = "\n".join([f"$ {command}", *printed])
        assert got == code, output
        start, outputs = 0, masked_output(printed)
        for line in shown:
            if line.strip() not in ("", "..."):
                found = place(line, printed, outputs, start)
                assert found is not None, f"the page shows {line!r}; it printed:\n{output}"
                start = found + 1


@names
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in [
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
            ], f"{page.name}: {target}"


def test_every_page_is_linked() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in ALL
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))
    }
    assert [page.name for page in ALL if page.name != "README.md" and page not in linked] == []


@names
def test_commands_exist_as_they_are_named(page: Path) -> None:
    spans = [
        *re.findall(r"`([^`\n]+)`", prose(page)),
        *(line for _, lines in blocks(page) for line in lines),
    ]
    for words in (span.removeprefix("$ ").split() for span in spans):
        if words[:1] == ["bench"] and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in COMMANDS, f"{page.name}: there is no command `bench {words[1]}`"
            command = COMMANDS[words[1]]
            inner = getattr(command, "commands", {})
            assert not (inner and words[2:]) or words[2] in inner, f"{page.name}: {words}"
            command = inner.get(words[2], command) if len(words) > 2 else command
            offered = {option for parameter in command.params for option in parameter.opts}
            offered |= {"--help"}
            asked = {
                word.partition("=")[0].rstrip(",.;") for word in words[2:] if word.startswith("--")
            }
            assert asked <= offered, (
                f"{page.name}: `bench {words[1]}` has no option {asked - offered}"
            )
        if words[:1] == ["make"] and len(words) == 2 and shutil.which("make"):
            done = subprocess.run(
                ["make", "-n", words[1]], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_the_main_job_is_what_the_readme_says() -> None:
    planned = subprocess.run(
        ["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    command = re.search(r"bench run .+", planned)
    assert command is not None
    assert command[0] in (ROOT / "README.md").read_text()


def test_the_files_and_tests_that_are_named_exist() -> None:
    tests = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    for page in ALL:
        for span in re.findall(r"`([^`\n]+)`", prose(page)):
            if (
                re.fullmatch(
                    r"(harness|adapters|suites|baselines|leaderboards|tests|docs)/[\w/.]*", span
                )
                and "NAME" not in span
            ):
                assert (ROOT / span).exists(), f"{page.name} names {span}"
            if re.fullmatch(r"test_\w+", span):
                assert f"def {span}(" in tests, f"{page.name} names {span}"


def test_nothing_names_a_place_on_this_machine() -> None:
    for file in [*ALL, *(ROOT / "docs").rglob("*.svg")]:
        found = re.search(r"(?<![\w.:/-])/(root|home|work|tmp|Users)/\S*", file.read_text())
        assert found is None, f"{file.name} names {found[0]}" if found else ""


def test_the_changelog_knows_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"## {version[1]}\n" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("kind", [Result, TaskRow, Group, Scores], ids=lambda kind: kind.__name__)
def test_every_stored_field_is_documented(kind: Any) -> None:
    text = (ROOT / "docs" / "runs.md").read_text()
    assert [name for name in columns_of(kind, ESTIMATES) if f"`{name}`" not in text] == []
