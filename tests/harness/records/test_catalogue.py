"""Names that a user types: agents, suites, modules, files and Gymnasium ids."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from baselines import AGENTS
from harness.cli.names import GYM_TASK
from harness.core import Normaliser, Reference, Suite, Task, UserError
from harness.records.catalogue import Kind, find_agent, find_suites, select_tasks, suite_from_toml
from suites import SUITES


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that modules are found in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def names(text: str) -> list[str]:
    return [suite.name for suite in find_suites(text, SUITES, GYM_TASK)]


@pytest.mark.parametrize("name", AGENTS)
def test_agents_of_ours(name: str) -> None:
    spec = find_agent(name, {}, AGENTS)
    assert (spec.name, spec.entry) == (name, AGENTS[name])
    assert spec.kind().__name__.lower() == name.replace("-", "")


def test_an_agent_of_the_users_own() -> None:
    spec = find_agent("toys:ChunkAgent", {"length": 2}, AGENTS)
    assert (spec.name, spec.entry, spec.args) == (
        "toys:ChunkAgent",
        "toys:ChunkAgent",
        {"length": 2},
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unifrom", "did you mean uniform?"),
        ("ORACLE", "did you mean oracle?"),
        ("zzz", "bench list agents"),
        ("", "bench list agents"),
        ("ws://host:1", "no agent"),
    ],
)
def test_an_unknown_agent_is_refused(name: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        find_agent(name, {}, AGENTS)
    assert words in str(refused.value)


def test_suites_by_name() -> None:
    assert names("babyai") == ["babyai"]
    assert names(" babyai , atari,babyai,") == ["babyai", "atari"], (
        "each once, in the order asked for"
    )
    assert names("all") == [name for name in SUITES if find_suites(name, SUITES)[0].in_all]
    assert names("smoke,all") == ["smoke", *names("all")]


def test_a_gymnasium_id_is_a_suite() -> None:
    (suite,) = find_suites("gym:CartPole-v1", SUITES, GYM_TASK)
    assert (suite.name, suite.episodes, suite.in_all) == ("gym:CartPole-v1", 10, False)
    assert [task.id for task in suite.tasks] == ["gym/CartPole-v1@1"]
    assert names("gym:CartPole-v1,gym:Acrobot-v1,smoke") == [
        "gym:CartPole-v1",
        "gym:Acrobot-v1",
        "smoke",
    ]


MODULE = """
from harness.core import Suite, Task

ONE = Suite("one", "one", (Task("my/one@1", "games", "toys:ToyAdapter"),), 2)
SUITES = (ONE,)
BOTH = [ONE, Suite("two", "two", (), 2)]
NONE = ()
ODD = ("one",)
"""


@pytest.mark.parametrize(
    "name", ["mine", "mine:SUITES", "mine:ONE", "package.inner", "package.inner:ONE"]
)
def test_a_module_of_the_users_own(here: Path, name: str) -> None:
    (here / "mine.py").write_text(MODULE)
    (here / "package").mkdir()
    (here / "package" / "inner.py").write_text(MODULE)
    (suite,) = find_suites(name, SUITES)
    assert (suite.name, suite.episodes, suite.tasks[0].id) == ("one", 2, "my/one@1")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine:BOTH", "it holds 2; name one with mine:VARIABLE"),
        ("mine:NONE", "it holds none"),
        ("mine:ODD", "must hold one harness.core.Suite"),
        ("mine:ELSE", "mine has no 'ELSE'"),
        ("empty", "empty has no 'SUITES'"),
        ("json", "json has no 'SUITES'"),
        ("broken", "importing broken failed: RuntimeError: not today"),
        ("mine.deeper", "mine is a module, not a package"),
        ("package.nothing", "there is no module 'nothing' in package"),
        ("smok", "did you mean smoke?"),
        ("al", "did you mean all"),
        ("MetaWorld", "did you mean metaworld?"),
        ("babyai,smok", "there is no suite 'smok'"),
        ("", "names nothing"),
        ("gym:NoSuchThing-v0", "Gymnasium knows no environment NoSuchThing-v0"),
        ("gym:", "gym: names no environment: write gym:ID"),
        ("./mine", "names nothing"),
        ("mine:ODD:X", "names nothing"),
    ],
)
def test_a_suite_that_is_none_is_refused(here: Path, name: str, words: str) -> None:
    (here / "mine.py").write_text(MODULE)
    (here / "empty.py").write_text("")
    (here / "broken.py").write_text("raise RuntimeError('not today')")
    (here / "package").mkdir()
    (here / "package" / "__init__.py").touch()
    with pytest.raises(UserError) as refused:
        find_suites(name, SUITES, GYM_TASK)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["mine:NUMBER", "mine:THING"])
def test_a_variable_that_holds_no_suites_is_refused(here: Path, name: str) -> None:
    (here / "mine.py").write_text("NUMBER = 5\nTHING = object()\n")
    with pytest.raises(UserError, match=r"must hold one harness\.core\.Suite"):
        find_suites(name, SUITES)


def test_the_remedy_for_several_suites_can_be_followed(here: Path) -> None:
    (here / "mine.py").write_text(MODULE)
    with pytest.raises(UserError, match=r"name one with mine:VARIABLE"):
        find_suites("mine:BOTH", SUITES)


def test_what_a_folder_lacks_is_said(here: Path) -> None:
    (here / "package").mkdir()
    (here / "package" / "inner.py").write_text(MODULE)
    with pytest.raises(UserError, match="there is no module 'iner' in package; did you mean inner"):
        find_suites("package.iner", SUITES)


TOML = """
name = "mine"
episodes = 7

[[task]]
id = "my/pole@2"
domain = "games"
adapter = "adapters.gym:GymAdapter"
params = {id = "CartPole-v1", kwargs = {sutton_barto_reward = true}}
max_steps = 30
success = "end"
rule = "thirty steps"
score = "return"
control_hz = 50
first_seed = 5
tags = ["short"]
normaliser = {low = 0, high = 30}

[[task.references]]
label = "me"
value = 0.5
metric = "return"
source = "here"

[[task]]
id = "my/other@1"
domain = "games"
adapter = "toys:ToyAdapter"
"""


def test_a_toml_file_says_all_that_a_task_has(here: Path) -> None:
    (here / "mine.toml").write_text(TOML)
    wanted = Suite(
        "mine",
        "mine",
        (
            Task(
                "my/pole@2",
                "games",
                "adapters.gym:GymAdapter",
                {"id": "CartPole-v1", "kwargs": {"sutton_barto_reward": True}},
                30,
                "end",
                "thirty steps",
                "return",
                Normaliser(0, 30),
                50,
                5,
                ("short",),
                (Reference("me", 0.5, "return", "here"),),
            ),
            Task("my/other@1", "games", "toys:ToyAdapter"),
        ),
        7,
        in_all=False,
    )
    assert suite_from_toml(here / "mine.toml") == wanted
    assert find_suites("mine.toml", SUITES) == [wanted]
    assert find_suites(str(here / "mine.toml"), SUITES) == [wanted]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('name = "mine"', "", "lacks 'name'"),
        ("episodes = 7", "", "lacks 'episodes'"),
        ("[[task", "[[tusk", "tusk is unknown; did you mean task?"),
        ("episodes = 7", "episodes = 'x'", "a whole number"),
        ("max_steps", "max_stepz", "max_stepz"),
        ('domain = "games"', "", "domain"),
        ('domain = "games"', 'domain = "sports"', "'sports' is not one of manipulation"),
        ('id = "my/pole@2"', 'id = "pole"', "family/name@version"),
        ('"adapters.gym:GymAdapter"', '"adapters.gym"', "module:Class"),
        ('success = "end"', 'success = "sometimes"', "success rule 'sometimes'"),
        ("{low = 0, high = 30}", "{low = 0}", "high"),
        ('label = "me"', "", "label"),
        ("episodes = 7", "episodes 7", "cannot be read"),
    ],
)
def test_a_toml_file_with_a_mistake_is_refused(
    here: Path, before: str, after: str, words: str
) -> None:
    assert before in TOML
    (here / "mine.toml").write_text(TOML.replace(before, after))
    with pytest.raises(UserError) as refused:
        find_suites("mine.toml", SUITES)
    assert words in str(refused.value)
    assert "mine.toml" in str(refused.value) or "task" in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(here: Path) -> None:
    (here / "folder.toml").mkdir()
    (here / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for name, words in (
        ("folder.toml", "cannot be read"),
        ("bytes.toml", "cannot be read"),
        ("none.toml", "there is no file"),
    ):
        with pytest.raises(UserError, match=words):
            find_suites(name, SUITES)


def test_tasks_may_be_left_out() -> None:
    suites = find_suites("babyai,atari", SUITES)
    everything = {task.name for _, task in select_tasks(suites, None)}
    without = {task.name for _, task in select_tasks(suites, "not:atari/*")}
    assert without == {name for name in everything if name.startswith("babyai/")}
    some = {task.name for _, task in select_tasks(suites, "*GoTo*,not:*Red*")}
    assert some == {name for name in without if "GoTo" in name and "Red" not in name}
    with pytest.raises(UserError, match="leaves nothing"):
        select_tasks(suites, "atari/*,not:atari/*")
    with pytest.raises(UserError, match="'atari/pingpong': no task matches; did you mean"):
        select_tasks(suites, "not:atari/pingpong")


def test_a_misspelt_kind_is_guessed_by_the_word_before_the_colon() -> None:
    kinds = {"openpi": Kind("module:Class", "address", "openpi:ws://HOST:PORT", "a server")}
    with pytest.raises(UserError, match="did you mean openpi"):
        find_agent("opnpi:ws://localhost:1", {}, AGENTS, kinds)
    with pytest.raises(UserError, match="openpi does not say which: write openpi:ws://HOST:PORT"):
        find_agent("openpi", {}, AGENTS, kinds)


GYMS = """
name = "mine"
episodes = 7

[[gym]]
id = "MountainCar-v0"
max_steps = 700
success = "none"
low = -200
high = -110.5
domain = "navigation"

[[gym]]
id = "FrozenLake-v1"
kwargs = {map_name = "8x8", is_slippery = false}
success = "end"
success_key = "won"
fresh = true
episodes = 3

[[task]]
id = "my/other@1"
domain = "games"
adapter = "toys:ToyAdapter"
"""


def test_gym_tables_make_the_tasks_of_the_command_line(here: Path) -> None:
    (here / "mine.toml").write_text(GYMS)
    (suite,) = find_suites("mine.toml", SUITES, GYM_TASK)
    named = (
        "gym:MountainCar-v0?max_steps=700&success=none&low=-200&high=-110.5&domain=navigation",
        "gym:FrozenLake-v1?kwargs.map_name=8x8&kwargs.is_slippery=false&success=end"
        "&success_key=won&fresh=true",
    )
    own, *tasks = suite.tasks
    assert own == Task("my/other@1", "games", "toys:ToyAdapter")
    wanted = [find_suites(name, SUITES, GYM_TASK)[0].tasks[0] for name in named]
    assert tasks == wanted
    assert [task.content for task in tasks] == [task.content for task in wanted]
    assert [suite.episodes_of(task) for task in suite.tasks] == [7, 7, 3]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('id = "MountainCar-v0"', "", "[[gym]] 1.id is missing"),
        ('id = "MountainCar-v0"', "id = 5", "[[gym]] 1.id is 5, not a text"),
        ("max_steps", "max_stepz", "[[gym]] 1.max_stepz is unknown: there is id, kwargs, success,"),
        ("max_steps = 700", "max_steps = 0", "[[gym]] 1.max_steps is 0, not a whole number from 1"),
        ("max_steps = 700", "max_steps = true", "[[gym]] 1.max_steps is True, not a whole number"),
        ("low = -200", "", "[[gym]] 1: gym:MountainCar-v0: a normalised scale needs low and high"),
        ("low = -200", "low = nan", "[[gym]] 1.low is nan, not a finite number"),
        ("low = -200", "low = '0'", "[[gym]] 1.low is '0', not a finite number"),
        ('"navigation"', '"chess"', "[[gym]] 1: task gym/MountainCar-v0@1: the domain 'chess' is"),
        ("fresh = true", "fresh = 1", "[[gym]] 2.fresh is 1, not true or false"),
        ("episodes = 3", "episodes = 0", "[[gym]] 2.episodes is 0, not a whole number from 1"),
        ("is_slippery = false", "is_slippery = 1979-05-27", "[[gym]] 2.kwargs.is_slippery is "),
        ("is_slippery", "slippery", "[[gym]] 2: gym:FrozenLake-v1 cannot be made with {'map_name'"),
        ('kwargs = {map_name = "8x8", is_slippery = false}', "kwargs = 3", "[[gym]] 2.kwargs is 3"),
        ('success = "end"', 'success = "often"', "the success rule 'often' is not one"),
        ('"FrozenLake-v1"', '"FrozenLak-v1"', "did you mean gym:FrozenLake-v1"),
        ('"FrozenLake-v1"', '"no_such:Lake-v1"', "[[gym]] 2: gym:no_such:Lake-v1: the module no_s"),
        ("[[gym]]", "[[gin]]", "gin is unknown; there is name, title, episodes, task, gym"),
        (
            "[[task]]",
            "[[gym]]\nid = 'MountainCar-v0'\n[[task]]",
            "[[gym]] 3: gym/MountainCar-v0@1 is",
        ),
        ("[[task]]", "[task]", "task is not a list of one table or more"),
    ],
)
def test_a_gym_table_with_a_mistake_is_refused_in_one_line(
    here: Path, before: str, after: str, words: str
) -> None:
    assert before in GYMS
    (here / "mine.toml").write_text(GYMS.replace(before, after))
    with pytest.raises(UserError) as refused:
        find_suites("mine.toml", SUITES, GYM_TASK)
    assert words in str(refused.value)
    assert str(refused.value).startswith("mine.toml")
    assert "\n" not in str(refused.value)


def test_gym_tables_are_not_read_where_no_gymnasium_is_known(here: Path) -> None:
    (here / "mine.toml").write_text(GYMS)
    with pytest.raises(UserError, match=r"\[\[gym\]\] can be read by `--suite FILE\.toml` only"):
        suite_from_toml(here / "mine.toml")
