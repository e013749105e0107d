"""Files of trials on a robot: what is read, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core import UserError
from harness.records.trials import Trial, as_lines, read_trials

CSV = "policy,task,success,blinded,case\npi0,toy/reach@1,1,true,ab12\noct,toy/reach@1,0,,\n"
TRIALS = [
    Trial(policy="pi0", task="toy/reach@1", success=True, blinded=True, case="ab12"),
    Trial(policy="oct", task="toy/reach@1", success=False, blinded=None, case=None),
]


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    for name, text in (("a.csv", CSV), ("b.csv", "\ufeff" + CSV), ("c.jsonl", as_lines(TRIALS))):
        file = tmp_path / name
        file.write_bytes(text.replace("\n", "\r\n" if name == "a.csv" else "\n").encode())
        assert read_trials(file) == TRIALS, name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lacks policy"),
        (b"policy,task,success\n", "holds no trial"),
        (b"policy,task\na,b\n", "line 1 lacks success"),
        (b"policy,task,success,success\na,b,1,1\n", "names a column twice"),
        (b"policy,task,success,operator\na,b,1,x\n", "'operator', which is none of"),
        (b"policy,task,success\na,b\n", "line 2 has 2 cells, not 3"),
        (b"policy,task,success\na,b,2\n", "line 2: success is '2'"),
        (b"policy,task,success\na,b,\n", "success is empty"),
        (b"policy,task,success\n,b,1\n", "policy is ''"),
        (b"policy,task,success\n\x1b[31m,b,1\n", "policy is "),
        (b"policy,task,success\n\xff,b,1\n", "can't decode"),
        (b"policy,task,success\n" + b"a" * 400 + b",b,1\n", "policy is 'aaa"),
        (b'policy,task,success\n"a,b,1\n', "unexpected end of data"),
        (b'{"policy": "a", "task": "b", "success": NaN}\n', "line 1: it holds NaN"),
        (b'{"policy": "a", "task": "b", "success": 0.5}\n', "success is 0.5"),
        (b'{"policy": ["a"], "task": "b", "success": true}\n', "policy is a list"),
        (b'{"policy": "a", "policy": "b", "task": "b", "success": 1}\n', "twice"),
        (b'{"policy": "a", "task": "b", "success": 1}\n[1]\n', "line 2 holds a list"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested"),
    ],
)
def test_what_is_no_trial_is_refused_with_its_line(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "trials"
    file.write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_trials(file)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)
    with pytest.raises(UserError, match="no file"):
        read_trials(tmp_path / "nothing")
