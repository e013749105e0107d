"""`bench probe alignment` on embeddings of which the right answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Said
from findings import printed_again

from harness.core import Agent, UserError
from harness.play.inference import Watch
from harness.probes.alignment.embeddings import checked, embeddings_of
from harness.probes.alignment.encoders import bag_of_words, references_named
from harness.probes.alignment.measures import Alignment, align, design_of, hits, prepared
from harness.probes.alignment.sentences import lines_of

RNG = np.random.default_rng


def rotation(width: int, seed: int) -> np.ndarray:
    found: np.ndarray = np.linalg.qr(RNG(seed).normal(size=(width, width)))[0]
    return found


def aligned(
    one: np.ndarray,
    other: np.ndarray,
    names: list[str] | None = None,
    *,
    within: bool = False,
    permutations: int = 19,
    seed: int = 0,
    ks: tuple[int, ...] = (1, 3),
) -> Alignment:
    names = names or ["all"] * len(one)
    design = design_of(names, within=within, permutations=permutations, seed=seed)
    return align(one, other, design, ks, 50)


@pytest.mark.parametrize(("n", "width"), [(80, 12), (60, 200), (25, 24)])
def test_a_planted_rotation_is_found(n: int, width: int) -> None:
    values = RNG(0).normal(size=(n, width)) * np.linspace(3, 1, width)
    found = aligned(values, 7 * values @ rotation(width, 1) + 5)
    for each in (*found.precision.values(), found.rsa, found.cka, found.cka_biased):
        assert each is not None
        assert each.value == pytest.approx(1.0)
        assert each.p == 1 / 20
    assert found.precision[1].chance == pytest.approx(5 / n)  # type: ignore[union-attr]


def test_a_rotation_is_found_although_the_widths_differ() -> None:
    values = RNG(0).normal(size=(60, 8)) * np.linspace(3, 1, 8)
    wide = values @ RNG(1).normal(size=(8, 90))
    found = aligned(values, wide)
    assert found.dims == 8
    assert found.precision[3].value > 0.9  # type: ignore[union-attr]


@pytest.mark.parametrize("within", [False, True])
def test_the_p_values_of_independent_embeddings_are_uniform(within: bool) -> None:
    """Also where both tell which task a sentence is of, which counts for nothing within tasks."""
    names = ["a"] * 14 + ["b"] * 10
    task = np.array([[8.0], [-8.0]]).repeat([14, 10], axis=0) if within else np.zeros((24, 1))
    told: dict[str, list[float]] = {"precision": [], "rsa": [], "cka": []}
    for seed in range(60):
        rng = RNG([seed, within])
        x, y = (np.hstack([task, rng.normal(size=(24, width))]) for width in (5, 40))
        found = aligned(x, y, names, within=within, seed=seed, ks=(1,))
        for name, each in (
            ("precision", found.precision[1]), ("rsa", found.rsa), ("cka", found.cka)
        ):  # fmt: skip
            assert each is not None
            told[name].append(each.p)
    for name, ps in told.items():
        # 19 permutations: p is a multiple of 0.05, and at most as often small as it says.
        for level in (0.05, 0.2, 0.5):
            often = np.mean(np.array(ps) <= level + 1e-9)
            assert often <= level + 3.1 * np.sqrt(level * (1 - level) / len(ps)), (name, level)
        if name != "precision":  # which has few values, and many ties
            assert np.mean(np.array(ps) <= 0.5 + 1e-9) > 0.35


def test_precision_of_independent_embeddings_is_chance() -> None:
    """For any N and D, for folds of unequal size, and for any k."""
    for n, width, other in ((23, 4, 60), (40, 80, 80)):
        values: dict[int, list[float]] = {1: [], 3: []}
        for seed in range(60):
            rng = RNG([seed, n])
            found = aligned(
                rng.normal(size=(n, width)), rng.normal(size=(n, other)), permutations=1, seed=seed
            )
            for k, each in found.precision.items():
                assert each is not None
                values[k].append(each.value - (each.chance or 0))
        for changes in values.values():
            assert abs(np.mean(changes)) < 3.5 * np.std(changes) / np.sqrt(len(changes))


def test_an_agent_that_does_not_tell_sentences_apart_is_at_chance() -> None:
    other = RNG(0).normal(size=(30, 6))
    for same in (np.ones((30, 4)), np.ones((30, 4)) + 1e-8 * RNG(1).normal(size=(30, 4))):
        assert prepared(same, 50).shape == (30, 0)
        found = aligned(same, other)
        for k, each in found.precision.items():
            assert each is not None
            assert (each.value, each.p) == (pytest.approx(k / 6), 1.0)
        assert (found.rsa, found.cka, found.cka_biased) == (None, None, None)


def test_ties_count_as_the_chance_of_being_taken() -> None:
    scores = np.array([[2.0, 1.0, 2.0, 0.0], [0, 0, 0, 0], [3, 2, 1, 0], [0, 0, 0, 9]])
    assert hits(scores, 1).tolist() == [0.5, 0.25, 0.0, 1.0]
    assert hits(scores, 2).tolist() == [1.0, 0.5, 0.0, 1.0]
    assert hits(scores, 3).tolist() == [1.0, 0.75, 1.0, 1.0]
    rng = RNG(0)
    copies = np.repeat(rng.normal(size=(5, 3)), 4, axis=0)  # each sentence has three doubles
    own = hits(copies @ copies.T, 1)
    assert own.max() <= 0.25


def test_what_tasks_explain_counts_for_nothing_within_them() -> None:
    names = [f"task{k % 6}" for k in range(120)]
    labels = RNG(0).normal(size=(6, 10))[[k % 6 for k in range(120)]]
    one = np.hstack([4 * labels, RNG(1).normal(size=(120, 10))])
    other = np.hstack([4 * labels, RNG(2).normal(size=(120, 10))])
    across, within = (aligned(one, other, names, within=each) for each in (False, True))
    for alike, apart in (
        (across.precision[3], within.precision[3]), (across.rsa, within.rsa),
        (across.cka, within.cka),
    ):  # fmt: skip
        assert alike is not None
        assert apart is not None
        assert alike.p == 1 / 20
        assert apart.p > 1 / 20
    assert across.precision[3].of == 120  # type: ignore[union-attr]


def test_groups_that_hold_too_few_sentences_tell_nothing() -> None:
    names = [f"task{k // 2}" for k in range(30)]
    values = RNG(0).normal(size=(30, 4))
    found = aligned(values, values, names, within=True)
    assert found.precision == {1: None, 3: None}
    assert found.rsa is None


def test_debiased_cka_is_near_zero_where_the_biased_one_is_not() -> None:
    rng = RNG(0)
    found = aligned(rng.normal(size=(40, 300)), rng.normal(size=(40, 300)))
    assert found.cka is not None
    assert found.cka_biased is not None
    assert abs(found.cka.value) < 0.1
    assert found.cka_biased.value > 0.8


def test_cka_and_rsa_are_what_their_formulas_say() -> None:
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    rng = RNG(0)
    x = rng.normal(size=(15, 4))
    y = x @ rng.normal(size=(4, 6)) + rng.normal(size=(15, 6))
    found = aligned(x, y)
    n, ones = 15, np.ones(15)
    k, l = x @ x.T, y @ y.T  # noqa: E741
    for gram in (k, l):
        np.fill_diagonal(gram, 0)

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        """Song et al. 2012, equation 5."""
        return float(
            np.trace(a @ b)
            + (ones @ a @ ones) * (ones @ b @ ones) / ((n - 1) * (n - 2))
            - 2 / (n - 2) * ones @ a @ b @ ones
        ) / (n * (n - 3))

    assert found.cka is not None
    assert found.cka.value == pytest.approx(hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)))
    cross = (x - x.mean(0)).T @ (y - y.mean(0))
    own = [np.linalg.norm((z - z.mean(0)).T @ (z - z.mean(0))) for z in (x, y)]
    assert found.cka_biased is not None
    assert found.cka_biased.value == pytest.approx(np.square(cross).sum() / (own[0] * own[1]))
    assert found.rsa is not None
    distances = [pdist(z - z.mean(0), "cosine") for z in (x, y)]
    assert found.rsa.value == pytest.approx(spearmanr(*distances).statistic)


class Tells(Agent):
    """Tells whatever it was given."""

    def __init__(self, told: Any) -> None:
        self.told = told

    def act(self, turns: Any) -> list[Any]:
        return []

    def embed(self, texts: Any) -> Any:
        return self.told(len(texts))


def test_what_an_agent_tells_is_checked_at_the_door() -> None:
    good = embeddings_of(Tells(lambda n: np.ones((n, 3), np.float32)), ["a", "b"], Watch(), 9.0)
    assert (good.shape, good.dtype) == ((2, 3), np.float64)
    for told, why in (
        (lambda n: np.ones((n + 1, 3)), r"shape \(3, 3\)"),
        (lambda n: np.ones(n), r"shape \(2,\)"),
        (lambda n: np.ones((n, 0)), "from 1 to 65536"),
        (lambda n: np.ones((n, 70_000)), "from 1 to 65536"),
        (lambda n: np.ones((n, 3), int), "got int64"),
        (lambda n: [["x"]] * n, "got <U1"),
        (lambda n: np.full((n, 3), np.nan), "NaN"),
        (lambda n: np.full((n, 3), 1e300), "too large"),
        (lambda n: n / 0, "failed: ZeroDivisionError"),
    ):
        with pytest.raises(UserError, match=why):
            embeddings_of(Tells(told), ["a", "b"], Watch(), 9.0)


def test_an_agent_without_embeddings_says_so() -> None:
    from baselines.simple import Uniform

    with pytest.raises(UserError, match="Uniform tells no embeddings of instructions"):
        embeddings_of(Uniform(), ["a"], Watch(), 9.0)


def test_the_bag_of_words_is_tf_idf() -> None:
    found = bag_of_words(["go to the ball", "go to the box", "The ball, the BALL!", ""])
    columns = {word: k for k, word in enumerate(["ball", "box", "go", "the", "to"])}
    assert found.shape == (4, 5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 1, 0])
    rare, common = np.log(5 / 2) + 1, np.log(5 / 4) + 1
    assert found[1, columns["box"]] / found[1, columns["the"]] == pytest.approx(rare / common)
    assert found[2, columns["ball"]] > found[2, columns["the"]] > 0


def test_lines_of_a_file_are_distinct_and_bounded(tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    file.write_text("\n".join(f" go to {k % 25} " for k in range(60)) + "\n\n")
    assert len(lines_of(file).texts) == 25
    for content, why in ((b"one\n", "1 distinct"), (b"\xff\xfe\n", "UTF-8")):
        file.write_bytes(content)
        with pytest.raises(UserError, match=why):
            lines_of(file)
    with pytest.raises(UserError, match="cannot be read"):
        lines_of(tmp_path / "none.txt")


LEVELS = ("--suite", "babyai", "--tasks", "babyai/GoToLocalS8N7,babyai/PickupLoc")
QUICK = (
    "--episodes", 2, "--resets", 60, "--sentences", 40, "--permutations", 39, "--k", "1,3",
    "--dims", 20, "--workers", 0,
)  # fmt: skip


def test_the_command_compares_what_the_agent_can_do(bench_here: Callable[..., Said]) -> None:
    pytest.importorskip("minigrid")
    words = ("probe", "alignment", "--agent", "embedders:Words", *LEVELS, *QUICK, "--out", "a")
    said = bench_here(*words, "--figure", "a.png")
    assert said.code == 0, said.err
    assert "40 sentences of 2 tasks; 5 maps, each tried on the 8 at most" in said.out
    assert "embedders:Words succeeds in 4 of 4 of the episodes of these tasks" in said.out
    assert Path("a.png").read_bytes()[:4] == b"\x89PNG"
    printed_again(bench_here, "a", said.out)
    again = bench_here(*words, "--format", "json", "--run", "a/run")
    told = json.loads(again.out)
    assert (told["schema"], told["sentences"], told["folds"]) == (1, 40, 5)
    pairs = {each["one"]: each for each in told["pairs"]}
    knows, untrained = pairs["embedders:Words"], pairs["embedders:Words untrained"]
    assert knows["across_tasks"]["precision"]["1"]["value"] > 0.6
    assert knows["across_tasks"]["rsa"]["p"] == 1 / 40
    assert untrained["across_tasks"]["precision"]["3"]["p"] > 0.05
    assert untrained["within_tasks"]["rsa"]["p"] > 0.05
    assert knows["beyond_untrained"]["1"]["low"] > 0
    assert untrained["beyond_untrained"] == {}
    other = bench_here(
        "probe", "alignment", "--agent", "embedders:Idle", *LEVELS, *QUICK, "--run", "a/run"
    )
    assert other.code == 2
    assert "was played by another agent" in other.err


def test_nothing_is_read_of_an_agent_that_fails(bench_here: Callable[..., Said]) -> None:
    pytest.importorskip("minigrid")
    said = bench_here("probe", "alignment", "--agent", "embedders:Idle", *LEVELS, *QUICK)
    assert said.code == 0, said.err
    told = " ".join(said.out.split())
    assert told.endswith("the gate of 0.5 nowhere: nothing is compared")
    assert "succeeds in 0 of 2, under the gate of 0.5" in told


def test_lines_of_a_file_can_be_compared_unplayed(bench_here: Callable[..., Said]) -> None:
    colours, things = ("red", "blue", "green", "grey", "pink"), ("ball", "box", "key", "door")
    lines = [f"go to the {colour} {thing}" for colour in colours for thing in things]
    Path("t.txt").write_text("\n".join(lines))
    said = bench_here(
        "probe", "alignment", "--agent", "embedders:Words", "--texts", "t.txt", "--gate", 0, *QUICK
    )
    assert said.code == 0, said.err
    assert "20 sentences of 1 task" in said.out
    assert "among sentences of the same task" not in said.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("--agent", "embedders:Mute", "--texts", "t.txt", "--gate", 0),
            "Mute tells no embed",
        ),
        (("--agent", "embedders:Words", "--texts", "t.txt"), "name the tasks with --suite"),
        (("--agent", "embedders:Words", *LEVELS, "--gate", 2), "--gate is a share"),
        (("--agent", "embedders:Words", *LEVELS, "--k", "0"), "write numbers from 1 on"),
        (("--agent", "embedders:Words", *LEVELS, "--sentences", 5), "between 20 and 2000"),
        (("--agent", "embedders:Words", *LEVELS, "--reference", "gpt"), "write minilm, or hf:"),
        (("--agent", "embedders:Words", *LEVELS, "--reference", "hf:x#y"), "after # write"),
        (("--agent", "embedders:Words", *LEVELS, "--figure", "a.txt"), "file ending in"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    bench_here: Callable[..., Said], words: tuple[Any, ...], why: str
) -> None:
    Path("t.txt").write_text("\n".join(f"line {k}" for k in range(20)))
    said = bench_here("probe", "alignment", *words)
    assert said.code == 2, said
    assert why in said.err.splitlines()[-1]
    assert "Traceback" not in said.err


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "go", "to", "the", "red", "blue", "ball", "box", "<unk>"]
    plain = Tokenizer(models.WordLevel({word: k for k, word in enumerate(words)}, "<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.TemplateProcessing("$A </s>", None, [("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="</s>", unk_token="<unk>")


def _model(kind: str) -> Any:
    """A random model in the true format."""
    import transformers as t

    small = {
        "vocab_size": 12, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 16,
    }  # fmt: skip
    if kind == "clip":
        vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "image_size": 8, "patch_size": 8}  # fmt: skip
        text = {**small, "eos_token_id": 1, "projection_dim": 8}
        return t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    if kind == "blip":
        text = {**small, "encoder_hidden_size": 16, "projection_dim": 8, "is_decoder": False}
        vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "image_size": 8, "patch_size": 8}  # fmt: skip
        config = t.BlipConfig(text_config=text, vision_config=vision, projection_dim=8)
        return t.BlipModel(config)
    if kind == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(**small))
    return t.BertModel(t.BertConfig(**small))


@pytest.mark.parametrize(
    ("kind", "what", "width"),
    [
        ("bert", "bert, mean of tokens", 16),
        ("llama", "llama, last token", 16),
        ("clip", "clip, text features", 8),
        ("blip", "blip, text features", 8),
    ],
)
def test_a_model_of_transformers_is_a_reference(
    tmp_path: Path, kind: str, what: str, width: int
) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    _model(kind).save_pretrained(tmp_path / kind)
    _tokenizer().save_pretrained(tmp_path / kind)
    texts = ["go to the red ball", "go to the blue box", "red", "the ball", "go to the red ball"]
    _, reference = references_named([f"hf:{tmp_path / kind}"])
    assert reference.name == kind
    values, said = reference.embed(texts)
    assert (said, values.shape) == (what, (5, width))
    np.testing.assert_allclose(values[0], values[4], atol=1e-6)
    assert not np.allclose(values[0], values[1])
    alone, _ = reference.embed(texts[3:4])
    np.testing.assert_allclose(values[3], alone[0], atol=1e-6)
    _, mean = references_named([f"hf:{tmp_path / kind}#mean"])
    assert mean.embed(texts)[1] == f"{kind}, mean of tokens"
    long, said = mean.embed(["red " * 40])
    assert said == f"{kind}, mean of tokens, 1 texts cut at 16 tokens"
    assert checked(mean.name, long, 1).shape[0] == 1


def test_weights_that_are_no_safetensors_or_incomplete_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    _model("bert").save_pretrained(tmp_path)
    _tokenizer().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lacking = {name: each for name, each in weights.items() if "layer.1.output" not in name}
    save_file(lacking, tmp_path / "model.safetensors", {"format": "pt"})
    (_, reference) = references_named([f"hf:{tmp_path}"])
    with pytest.raises(UserError, match="lacks weights of its own model, such as encoder"):
        reference.embed(["red"])
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="does not load"):
        reference.embed(["red"])
    with pytest.raises(UserError, match="does not load"):
        references_named([f"hf:{tmp_path / 'nowhere'}"])[1].embed(["red"])
