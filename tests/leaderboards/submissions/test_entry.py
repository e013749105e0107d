"""entry.json: schema and reader agree, the same run gives the same bytes, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hostile import ODD, mutants
from submitting import SUBMISSION, SUITES, check_entry, ours, play_run
from tampering import Tampered

import leaderboards
from harness.core import UserError
from harness.records.stored_run import load_run
from leaderboards.submissions.describe import describe, unfit
from leaderboards.submissions.entry import CLAIMED, FILES, read_entry
from leaderboards.submissions.texts import slug
from leaderboards.submissions.verdict import ACCEPTED, NOT_HERE, Verdict, read_verdict, statement
from leaderboards.submissions.write import Written, add

SCHEMA = json.loads((Path(leaderboards.__file__).parent / "entry.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def submit(run: Path, entries: Path, name: str = "Agent", **fields: Any) -> Written:
    options = {"known": ours(), "suites": SUITES}
    url = fields.pop("evidence_url", None)
    submission = dataclasses.replace(SUBMISSION, **fields)
    return add(run, name, submission, entries, evidence_url=url, **options)  # type: ignore[arg-type]


def test_the_schema_is_one_and_takes_the_entry(good: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = json.loads((good / "entry.json").read_text())
    VALIDATOR.validate(document)
    entry = read_entry(good)
    assert entry.name == "Agent"
    assert entry.submission == SUBMISSION
    assert document["claimed"] == CLAIMED
    assert [each["task"] for each in document["results"]["tasks"]] == [
        "babyai/GoToRedBall@1", "pddl/ferry@1",
    ]  # fmt: skip


def refusal(entry: Path) -> str:
    """Why our reader refuses an entry; empty: it does not."""
    try:
        read_entry(entry)
    except UserError as wrong:
        return str(wrong)
    return ""


@pytest.mark.slow
def test_what_the_schema_refuses_our_reader_refuses(entry: Path) -> None:
    """Every place of the document is changed to odd values, and every field left out or renamed."""
    document = json.loads((entry / "entry.json").read_text())
    refused = 0
    for name, changed in mutants(document, 8, 0):
        (entry / "entry.json").write_text(json.dumps(changed))
        valid = VALIDATOR.is_valid(changed)
        refused += not valid
        said = refusal(entry)
        assert said.isprintable()
        assert valid or said, name
    assert refused > 500
    assert len(ODD) > 20


def test_the_same_run_gives_the_same_bytes(run: Path, good: Path, tmp_path: Path) -> None:
    again = submit(run, tmp_path / "entries").path
    assert again.name == good.name == "agent-2-suites"
    for file in good.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name
    assert submit(run, tmp_path / "entries").path == again, "it is there already"
    with pytest.raises(UserError, match="is another entry"):
        submit(run, tmp_path / "entries", contact="somebody else")
    assert sorted(each.name for each in (tmp_path / "entries").iterdir()) == [again.name]


def test_an_entry_is_small_and_names_no_worker(good: Path, tmp_path: Path) -> None:
    assert sum(file.stat().st_size for file in good.iterdir()) < 10_000
    import lzma

    lines = lzma.decompress((good / FILES["episodes"]).read_bytes()).splitlines()
    assert len(lines) == 6
    assert all("worker" not in json.loads(line)["timing"] for line in lines)


def test_the_description_follows_from_the_run_alone(run: Path) -> None:
    described = describe(load_run(run))
    assert described["agent"]["name"] == "uniform"
    assert described["agent"]["privileged"] is False
    assert set(described["played"]["packages"]) == {"gymnasium", "minigrid"}
    assert [row["episodes"] for row in described["results"]["tasks"]] == [3, 3]
    assert described["results"]["cases"] == 6


def test_a_privileged_or_a_live_agent_is_marked(tmp_path: Path) -> None:
    run = play_run(tmp_path / "run", "oracle", 1, tasks="pddl/ferry")
    assert (
        "privileged: the agent is shown the expert's action" in submit(run, tmp_path / "a").remarks
    )
    document = json.loads((run / "run.json").read_text())
    document["agent"]["fingerprint"] = "unnamed"
    (run / "run.json").write_text(json.dumps(document))
    remarks = submit(run, tmp_path / "b").remarks
    assert any(remark.startswith("unnamed: ") for remark in remarks)
    assert any(remark.startswith("a part of pddl: 1 of 8 tasks") for remark in remarks)


def lost_line(run: Tampered) -> None:
    del run.lines[2]


def edited(run: Tampered) -> None:
    run.lines[0]["normalised"] = 1.0


def errored(run: Tampered) -> None:
    line = run.lines[0]
    line |= {"status": "error", "ended": "error", "error": "lost", "digest": "", "start": ""}
    line |= dict.fromkeys(("success", "score", "normalised", "success_ever", "success_end"))
    line["first_success"] = None


def unfinished(run: Tampered) -> None:
    run.run["finished"] = None


def stopped(run: Tampered) -> None:
    run.run["stopped"] = {"pddl/ferry@1": 2}


def old(run: Tampered) -> None:
    run.run["schema"] = 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lost_line, "missing case"),
        (edited, "normalised: 1.0, should be None"),
        (errored, "1 cases have no score"),
        (unfinished, "it is not finished"),
        (stopped, "stopped by a rule"),
        (old, "did not record how episodes started"),
    ],
)
def test_a_run_that_is_none_for_the_board_is_refused(
    run: Path, tmp_path: Path, change: Callable[[Tampered], None], reason: str
) -> None:
    spoilt = Tampered(run, tmp_path / "run", 0)
    change(spoilt)
    spoilt.save()
    with pytest.raises(UserError, match=reason):
        submit(spoilt.path, tmp_path / "entries")
    assert not (tmp_path / "entries").exists() or not list((tmp_path / "entries").iterdir())


def test_other_episodes_than_the_suites_are_refused(tmp_path: Path) -> None:
    run = play_run(tmp_path / "run", "uniform", 1, seed=3, tasks="pddl/ferry")
    with pytest.raises(UserError, match="--seed 3"):
        submit(run, tmp_path / "entries")


def test_a_lucky_play_among_several_is_refused(run: Path) -> None:
    once = load_run(run)
    again = dataclasses.replace(once, whole=dataclasses.replace(once.whole, repeat=1))
    assert not any("another time" in why for why in unfit(once, {}, frozenset()))
    assert any("another time" in why for why in unfit(again, {}, frozenset()))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "<script>alert(1)</script>"}, "not a name of letters"),
        ({"name": "a\x1b[2Jb"}, "control a terminal"),
        ({"name": "\u202eevil"}, "control a terminal"),
        ({"name": "\u6f22\u5b57"}, "a letter or a digit of ASCII"),
        ({"url": "javascript:alert(1)"}, "an address such as"),
        ({"url": 'https://example.org/"><script>'}, "an address such as"),
        ({"weights": "file:///etc/passwd"}, "an address such as"),
        ({"licence": "<b>"}, "SPDX"),
        ({"selection": " "}, "a text of 1 to 1000"),
        ({"selection": "one\nof ten"}, "control a terminal"),
        ({"cost_per_episode": float("nan")}, "not a finite number"),
        ({"evidence_url": "ftp://example.org/x"}, "an address such as"),
    ],
)
def test_what_a_submitter_may_not_write(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=reason) as refused:
        submit(run, tmp_path / "entries", **fields)
    assert str(refused.value).isprintable()


def test_traces_may_lie_elsewhere(run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Nothing is fetched: whoever checks downloads them, and their SHA-256 is in the entry."""
    monkeypatch.chdir(tmp_path)
    url = "https://example.org/traces.xz"
    written = submit(run, tmp_path / "entries", evidence_url=url)
    assert written.evidence == Path("agent-2-suites.traces.msgpack.xz")
    assert not (written.path / FILES["traces"]).exists()
    found = read_entry(written.path).files["traces"]
    assert found.url == url
    assert found.sha256 == hashlib.sha256(written.evidence.read_bytes()).hexdigest()
    verdict = check_entry(written.path, tmp_path / "a")
    assert verdict.outcome == NOT_HERE
    assert url in verdict.reasons[0]
    folder = tmp_path / "downloads"
    folder.mkdir()
    shutil.move(written.evidence, folder / FILES["traces"])
    from leaderboards.submissions.check import Examined, Settings, examine

    (tmp_path / "b").mkdir()
    settings = Settings(sample="all", seed="0")
    found_there = examine(written.path, tmp_path / "b", ours(), SUITES, settings, folder)
    assert isinstance(found_there, Examined)


def test_a_verdict_is_about_one_entry(entry: Path) -> None:
    digest = read_entry(entry).digest
    verdict = Verdict(outcome=ACCEPTED, statement="all of 6 episodes replayed", entry=digest)
    assert read_verdict(entry, digest) is None
    assert verdict.write(entry) == entry / "check.json"
    found = read_verdict(entry, digest)
    assert found is not None
    assert (found["verdict"], found["claimed"]) == (ACCEPTED, CLAIMED)
    assert read_verdict(entry, "0" * 64) is None, "it is about another entry.json"
    (entry / "check.json").write_text('{"verdict": "excellent"}')
    with pytest.raises(UserError, match="no verdict"):
        read_verdict(entry, digest)


def test_names_of_folders() -> None:
    assert slug("GEA 8B (final)") == "gea-8b-final"
    assert slug("Zürich/../x") == "zurich-x"
    assert slug("漢字") == ""


def test_the_statement_says_what_a_sample_can_have_missed() -> None:
    chances = [{"episodes": 50, "share": 0.01, "caught": 0.8701}]
    said = "200 of 5,000 episodes replayed: if 1 % (50) were forged, caught with 87 %"
    assert statement(200, 5000, chances) == said
    assert statement(7, 7, []) == "all of 7 episodes replayed"
