"""What travels between a worker and a served agent on one machine, and what it costs to keep it."""

from __future__ import annotations

import dataclasses
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import ray

from harness.core import Box, Brief, Discrete, Turn
from harness.play import ray_links
from harness.play.lazy_views import LazyViews
from harness.play.ray_actors import Place, _Server
from harness.play.ray_links import RayLinks
from harness.play.shared_memory import MOST_HELD, ReadBlocks, WriteBlocks
from harness.play.turn_codec import TurnDecoder, TurnEncoder, Unknown
from harness.play.turn_link import Link, TurnListener, receive_ready
from harness.records.identity import AgentSpec

BRIEF = Brief({"image": Box((64, 64, 3), "uint8", 0, 255)}, Discrete(7), "a body", "a simulator")


def turn(episode: str = "one", step: int = 0, **changed: Any) -> Turn:
    rng = np.random.default_rng(step)
    views = {"image": rng.integers(0, 255, (64, 64, 3), np.uint8)}
    plain = Turn(BRIEF, "go to the door", (views,), (), step, episode, rng_key=5)
    return dataclasses.replace(plain, **changed)


def same(left: Turn, right: Turn) -> bool:
    """Whether two turns are equal in every field, down to the types of their arrays."""
    found = dataclasses.asdict(left), dataclasses.asdict(right)
    for fields in found:
        fields["observations"] = [
            {name: (type(view), getattr(view, "dtype", None), np.array(view).tolist())}
            for views in fields["observations"]
            for name, view in views.items()
        ]
    return repr(found[0]) == repr(found[1])


def sent(encoder: TurnEncoder, decoder: TurnDecoder, turns: list[Turn], **options: Any) -> int:
    """Sends the turns, which must come out as they were; returns the bytes of the message."""
    packed = encoder.pack(turns, **options)
    head = pickle.dumps(packed.head)
    got = decoder.unpack(pickle.loads(head), lambda number: packed.columns[number].values)
    assert len(got) == len(turns)
    assert all(map(same, got, turns))
    return len(head)


def test_turns_come_out_as_they_went_in_and_what_stays_goes_once() -> None:
    encoder, decoder = TurnEncoder(), TurnDecoder()
    odd = {
        "state": np.float32(3) * np.ones((5,), np.float32),
        "number": np.array(4.0),
        "text": "a door",
        "wide": np.asfortranarray(np.arange(6000.0).reshape(60, 100)),
    }
    lazy = LazyViews(("state",), odd.__getitem__)
    turns = [
        turn(),
        turn("two", 3, observations=(odd, {**odd, "state": np.zeros(4)}), actions=(1,)),
        turn("three", observations=(odd,), memory={"seen": 2}, expert=np.zeros(2)),
    ]
    first = sent(encoder, decoder, turns)
    assert sent(encoder, decoder, turns) < first - 300, "brief and instruction are not sent again"
    packed = encoder.pack([turn("four", observations=(lazy,))])
    assert decoder.unpack(packed.head, lambda _: [])[0].observation["state"].tolist() == [3] * 5
    changed = [turn(instruction="pick it up"), turn("two", brief=Brief({}, Discrete(2), "", ""))]
    sent(encoder, decoder, changed)
    encoder.forget("one")
    sent(encoder, decoder, [turn("five")])
    sent(encoder, decoder, [turn("one")])


def test_who_does_not_know_a_number_is_told_again() -> None:
    encoder = TurnEncoder()
    sent(encoder, TurnDecoder(), [turn()])
    other = TurnDecoder()
    packed = encoder.pack([turn()])
    with pytest.raises(Unknown):
        other.unpack(packed.head, lambda number: packed.columns[number].values)
    sent(encoder, other, [turn()], again=True)
    sent(encoder, other, [turn()])


def test_what_an_agent_saw_before_is_not_sent_again() -> None:
    encoder, decoder = TurnEncoder(), TurnDecoder()
    seen = {
        episode: [turn(step=step + 100 * place).observation for step in range(9)]
        for place, episode in enumerate(("one", "two"))
    }

    def window(step: int, episode: str, history: int = 4) -> Turn:
        shown = tuple(seen[episode][max(0, step - history + 1) : step + 1])
        return turn(episode, step, observations=shown)

    for step in range(9):
        both = [window(step, "one"), window(step, "two", 2)]
        packed = encoder.pack(both)
        # The first observation has a number only from the second turn on.
        assert sum(len(column.values) for column in packed.columns) == (4 if step == 1 else 2)
        head = pickle.loads(pickle.dumps(packed.head))
        got = decoder.unpack(head, lambda number: packed.columns[number].values)  # noqa: B023
        assert all(map(same, got, both))
        got[0].observations[0].clear()  # the agent's own
    # What moves in its window in another way, as where a perturbation shows an old one again.
    shown = seen["one"]
    for places in ((8, 8, 5), (5, 2, 8, 8), (8,), (8, 2), (2, 2)):
        again = turn("one", 9, observations=tuple(shown[place] for place in places))
        sent(encoder, decoder, [again])
    other = TurnDecoder()
    sent(encoder, other, [window(8, "two")], again=True)
    packed = encoder.pack([window(8, "two")])
    assert not packed.columns, "all of it is there"
    with pytest.raises(Unknown):
        TurnDecoder().unpack(packed.head, lambda _: [])
    sent(encoder, other, [window(8, "one")], again=True)
    encoder.forget("one")
    encoder.pack([window(0, "two")])
    sent(encoder, other, [window(8, "one")])


linux = pytest.mark.skipif(sys.platform != "linux", reason="links are for Linux")


@linux
def test_memory_is_written_again_only_when_nobody_holds_a_view() -> None:
    write, read = WriteBlocks(), ReadBlocks()
    number, block, descriptor = write.take(100_000)
    assert descriptor is not None
    read.add(number, descriptor)
    block[:4] = 1, 2, 3, 4
    view = read.read(number, 0, 2, (2,), np.dtype(np.uint8))[1, 1:]
    read.hold(number)
    assert read.freed() == ([], [])
    assert write.take(100_000)[0] != number
    assert view.tolist() == [4]
    del view
    write.release(*read.freed())
    assert write.take(90_000)[0] == number
    for _ in range(MOST_HELD + 1):
        number, _, descriptor = write.take(10)
        assert descriptor is not None
        read.add(number, descriptor)
        held = [read.read(number, 0, 1, (1,), np.dtype(np.uint8))]
        read.hold(number)
        read._held_by_test = [*getattr(read, "_held_by_test", ()), held]  # type: ignore[attr-defined]
    assert len(read.freed()[1]) == 1, "of many that are held the oldest is given up"


@pytest.fixture
def listening() -> Callable[..., Any]:
    def listen(serve: Any) -> Any:
        found = TurnListener(serve, pickle.dumps).address
        assert found is not None
        return found

    return listen


@linux
def test_pictures_reach_an_agent_that_keeps_them(listening: Callable[..., Any]) -> None:
    kept: list[np.ndarray] = []
    turns = [turn(step=step) for step in range(12)]

    def serve(asked: list[Turn], alone: bool) -> Any:
        kept.extend(each.observation["image"] for each in asked[:1])
        return [int(each.observation["image"].sum()) for each in asked], ["told"], 2

    link = Link(listening(serve), pickle.dumps)
    for step in range(0, 12, 2):
        request = link.send(turns[step : step + 2], False)
        receive_ready([link], None)
        expected = [int(each.observation["image"].sum()) for each in turns[step : step + 2]]
        assert request.served == (expected, ["told"], 2)
    assert all(map(np.array_equal, kept, (each.observation["image"] for each in turns[::2])))
    assert not kept[0].flags.writeable
    link.close()


@linux
def test_requests_of_several_groups_are_under_way_at_once(listening: Callable[..., Any]) -> None:
    both = threading.Barrier(3, timeout=10)

    def serve(asked: list[Turn], alone: bool) -> Any:
        both.wait()
        if asked[0].episode == "bad":
            raise ValueError("no such door")
        return [alone], [], 0

    link = Link(listening(serve), pickle.dumps)
    names = ("one", "two", "bad")
    requests = [link.send([turn(name)], name == "two") for name in names]
    for _ in names:
        receive_ready([link], None)
    assert [each.served and each.served[0] for each in requests] == [[False], [True], []]
    assert "no such door" in str(requests[2].fault)
    link.close()


@linux
def test_strangers_are_not_served_and_a_broken_link_is_noticed(
    listening: Callable[..., Any],
) -> None:
    name, secret = listening(lambda asked, alone: ([], [], 0))
    with pytest.raises(OSError):
        Link(("bench-nobody", secret), pickle.dumps)
    link = Link((name, b"0" * len(secret)), pickle.dumps)
    request = link.send([turn()], False)
    if not link.lost:
        receive_ready([link], None)
    assert request.lost
    with socket.socket(socket.AF_UNIX) as other:
        other.connect("\0" + name)
        other.sendall(secret + b"nonsense")


@linux
def test_ray_is_the_way_where_there_is_no_link(
    ray_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place([path or "." for path in sys.path], None)
    spec = ray.cloudpickle.dumps(AgentSpec("noop", "baselines.simple:Noop", {}))
    actor = ray.remote(_Server).options(num_cpus=0, max_concurrency=8).remote("a", spec, place, 9.0)
    ray.get(actor.ready.remote())
    turns = [turn("one"), turn("two", 3)]
    direct, by_ray = RayLinks(), RayLinks()
    expected = ray.get(actor.infer.remote(turns))
    for _ in range(3):  # the first goes by Ray if the replica has not yet said where it listens
        pending = direct.send(0, actor, turns, False)
        assert direct.wait([pending], None) == [pending]
        assert direct.take(pending) == expected
    assert pending.here
    monkeypatch.setattr(ray_links, "Link", refuse)
    for _ in range(3):
        pending = by_ray.send(0, actor, turns, False)
        assert by_ray.take(pending) == expected
    by_ray._ways[0].sender = "unknown there"
    pending = by_ray.send(0, actor, turns, False)
    assert by_ray.take(pending) == expected
    ray.kill(actor)
    for links in (direct, by_ray):
        with pytest.raises(ray.exceptions.RayActorError):
            ask_for_ever(links, actor, turns)


def ask_for_ever(links: RayLinks, actor: Any, turns: Sequence[Turn]) -> None:
    """Ray counts an actor as dead some time after it is."""
    while True:
        links.take(links.send(0, actor, turns, False))


def refuse(*_: Any) -> Any:
    """Nobody listens: the replica is on another machine."""
    raise ConnectionRefusedError
