"""How alike two embeddings of the same sentences are: pure functions of arrays.

Sentences are compared inside of groups: all of them as one group, or each task's as one. Every
null shuffles the sentences of one side inside of their groups, so what groups alone explain is in
the null and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Alignment", "Design", "Tested", "align", "design_of", "hits", "prepared"]

FOLDS = 5
SAME = 1e-9
"""Similarities that are closer than this are ties, whatever their rounding."""
NOISE = 1e-6
"""What is smaller than this part of the largest is rounding of 32-bit floats, and counts as 0."""
LEAST = 4
"""Sentences of a group from which on its geometry has an unbiased estimate."""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A figure with its permutation null."""

    value: float
    null: float
    """The 95 % quantile of the null."""
    p: float
    """The share of the null that is at least as large, this figure itself included."""
    chance: float | None = None
    """What guessing reaches; None: 0."""
    of: int = 0
    """The sentences, or the pairs of sentences, that it is a mean over."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How alike two embeddings are. None: there is nothing to compare."""

    dims: int
    """The common dimension of the map."""
    precision: Mapping[int, Tested | None]
    """k -> the share of held-out sentences whose counterpart is among the k nearest."""
    rsa: Tested | None
    """Spearman's rho of the distances of all pairs of sentences."""
    cka: Tested | None
    """Linear CKA, debiased."""
    cka_biased: Tested | None
    """Linear CKA as it is mostly printed: it is near 1 for anything with N < D."""
    found: Mapping[int, np.ndarray]
    """k -> for each sentence, (N,), whether it was found; NaN where nothing could be told."""


@dataclass(frozen=True, eq=False)
class Design:
    """What is compared with what, the same for all pairs of embeddings."""

    groups: tuple[np.ndarray, ...]
    """The sentences of each group, int64 (n,); together all sentences once."""
    folds: np.ndarray
    """int64 (N,): in which fold each sentence is held out."""
    orders: np.ndarray
    """int64 (permutations, N): the sentence that takes each one's place, inside of its group."""


def design_of(names: Sequence[str], *, within: bool, permutations: int, seed: int = 0) -> Design:
    """The design for sentences of these groups, (N,) names.

    within: whether sentences are compared inside of their groups; else all are one group. Folds are
    drawn so that each has its part of every group's sentences.
    """
    rng = np.random.default_rng([seed, len(names)])
    labels = np.unique(np.asarray(names), return_inverse=True)[1].reshape(-1)
    dealt = np.lexsort((rng.random(len(labels)), labels))
    folds = np.empty(len(labels), np.int64)
    folds[dealt] = np.arange(len(labels)) % FOLDS
    if not within:
        labels = np.zeros(len(labels), np.int64)
    groups = tuple(np.flatnonzero(labels == label) for label in range(labels.max() + 1))
    orders = np.empty((permutations, len(labels)), np.int64)
    for order in orders:
        for members in groups:
            order[members] = rng.permutation(members)
    return Design(groups, folds, orders)


def align(
    one: np.ndarray, other: np.ndarray, design: Design, ks: Sequence[int], dims: int
) -> Alignment:
    """Compare two embeddings of the same sentences, (N, D) and (N, E).

    Precision: both sides are prepared (`prepared`) in a common dimension of at most `dims`. In each
    fold, W = U V^T of the singular value decomposition of X^T Y over the other folds is the
    rotation that maps one side closest to the other (Schonemann 1966, Psychometrika 31:1); the
    nearest are sought by cosine among the held-out sentences of the group. All sentences are
    prepared together, which does not see which sentence belongs to which, so the null is exact.
    """
    masks = _masks(design)
    x, y = _spaces(one, other, masks, dims)
    every = np.arange(len(x))
    observed = _found(x, y, every, masks, ks)
    nulls = np.array(
        [
            [_mean(each) for each in _found(x, y, order, masks, ks).values()]
            for order in design.orders
        ]
    )
    precision: dict[int, Tested | None] = {}
    for column, (k, found) in enumerate(observed.items()):
        told = ~np.isnan(found)
        precision[k] = None
        if told.any():
            precision[k] = _tested(
                _mean(found), nulls[:, column], _chance(design, k), int(told.sum())
            )
    geometry = [
        _geometry(matrix(one, design.groups), matrix(other, design.groups), design)
        for matrix in (_distance_ranks, _u_centred, _doubly_centred)
    ]
    return Alignment(
        dims=x.shape[1],
        precision=precision,
        rsa=geometry[0],
        cka=geometry[1],
        cka_biased=geometry[2],
        found=observed,
    )


def _spaces(
    one: np.ndarray,
    other: np.ndarray,
    masks: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    dims: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Both sides, prepared in their common dimension."""
    dims = min(dims, min(len(learned) for learned, _, _ in masks))
    x, y = prepared(one, dims), prepared(other, dims)
    common = min(x.shape[1], y.shape[1])
    return x[:, :common], y[:, :common]


def prepared(values: np.ndarray, dims: int) -> np.ndarray:
    """Centred, each row of length 1, on at most `dims` principal axes; float64 (N, <= dims).

    Axes without variance are left out, so an embedding that does not tell sentences apart has none.
    """
    rows = _unit(_centred(values))
    rows = rows - rows.mean(axis=0)
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    kept = int((sizes > NOISE * max(sizes.max(initial=0.0), NOISE)).sum())
    kept = min(kept, dims)
    found: np.ndarray = left[:, :kept] * sizes[:kept]
    return found


def _centred(values: np.ndarray) -> np.ndarray:
    """float64 (N, D): minus the mean; 0 where a column varies by no more than rounding."""
    raw = np.asarray(values, np.float64)
    centred = raw - raw.mean(axis=0)
    found: np.ndarray = np.where(np.abs(centred) > NOISE * np.abs(raw).max(axis=0), centred, 0.0)
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; 0 stays 0."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: np.ndarray = rows / np.where(lengths > 0, lengths, 1.0)
    return found


def hits(scores: np.ndarray, k: int, candidates: np.ndarray | None = None) -> np.ndarray:
    """Whether each row's own column is among the k highest scores of the row, float64 (n,).

    scores: (n, n). candidates: bool (n, n), which columns count; None: all. Of columns that tie
    with the own one, each is as likely to be taken: a tie counts as the chance to be among the k.
    """
    if candidates is None:
        candidates = np.ones(scores.shape, bool)
    own = np.diagonal(scores)[:, None]
    better = ((scores > own + SAME) & candidates).sum(axis=1)
    tied = ((np.abs(scores - own) <= SAME) & candidates).sum(axis=1)
    found: np.ndarray = np.clip((k - better) / tied, 0.0, 1.0)
    return found


def _masks(design: Design) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each fold (the sentences that W is learned from, those held out, who counts for whom)."""
    group = np.empty(len(design.folds), np.int64)
    for number, members in enumerate(design.groups):
        group[members] = number
    found = []
    for fold in range(FOLDS):
        out = np.flatnonzero(design.folds == fold)
        if len(out):
            learned = np.flatnonzero(design.folds != fold)
            found.append((learned, out, group[out][:, None] == group[out][None]))
    return found


def _found(
    x: np.ndarray,
    y: np.ndarray,
    order: np.ndarray,
    masks: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    ks: Sequence[int],
) -> dict[int, np.ndarray]:
    """k -> (N,): whether each held-out sentence was found, where y is in this order."""
    found = {k: np.full(len(x), np.nan) for k in ks}
    y = y[order]
    for learned, out, candidates in masks:
        left, _, right = np.linalg.svd(x[learned].T @ y[learned])
        mapped, targets = x[out] @ (left @ right), y[out]
        scores = _unit(mapped) @ _unit(targets).T
        many = candidates.sum(axis=1)
        for k in ks:
            told = many > k  # with fewer candidates every answer is right
            found[k][out[told]] = hits(scores, k, candidates)[told]
    return found


def _chance(design: Design, k: int) -> float:
    """The mean over the sentences that count of k / candidates."""
    many = np.concatenate([candidates.sum(axis=1) for _, _, candidates in _masks(design)])
    return float((k / many[many > k]).mean())


def _mean(values: np.ndarray) -> float:
    told = values[~np.isnan(values)]
    return float(told.mean()) if len(told) else 0.0


def _tested(value: float, null: np.ndarray, chance: float | None, of: int) -> Tested:
    """p counts the figure itself (Phipson & Smyth 2010, doi 10.2202/1544-6115.1585)."""
    beyond = int((null >= value - SAME).sum())
    return Tested(
        value=value,
        null=float(np.quantile(null, 0.95, method="higher")),
        p=(1 + beyond) / (1 + len(null)),
        chance=chance,
        of=of,
    )


def _geometry(one: np.ndarray, other: np.ndarray, design: Design) -> Tested | None:
    """The correlation of two symmetric matrices (N, N), against shuffled ones (Mantel 1967)."""
    size = float(np.sqrt(np.square(one).sum() * np.square(other).sum()))
    if size == 0:
        return None
    null = np.array(
        [float(np.vdot(one, other[np.ix_(order, order)])) / size for order in design.orders]
    )
    pairs = sum(len(each) * (len(each) - 1) // 2 for each in _large(design.groups))
    return _tested(float(np.vdot(one, other)) / size, null, None, pairs)


def _large(groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [members for members in groups if len(members) >= LEAST]


def _distance_ranks(values: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """(N, N): centred ranks of the cosine distances of pairs inside of a group; 0 for others.

    Ranks are divided by their number, so that a pair weighs the same in every group.
    """
    from scipy.stats import rankdata

    rows = _unit(_centred(values))
    found = np.zeros((len(rows), len(rows)))
    for members in _large(groups):
        mine = rows[members]
        upper = np.triu_indices(len(members), 1)
        ranks = rankdata((1 - mine @ mine.T)[upper].round(9)) / len(upper[0])
        block = np.zeros((len(members), len(members)))
        block[upper] = ranks - ranks.mean()
        found[np.ix_(members, members)] = block + block.T
    return found


def _gram(values: np.ndarray) -> np.ndarray:
    """(n, n): the products of centred rows."""
    centred = _centred(values)
    found: np.ndarray = centred @ centred.T
    return found


def _u_centred(values: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """(N, N): in each group the U-centred Gram matrix; 0 for other pairs.

    The inner product of two of them is n (n - 3) times the unbiased HSIC (Song et al. 2012, JMLR
    13:1393, equation 4; in this form Szekely & Rizzo 2014, doi 10.1214/14-AOS1255), so their
    correlation is debiased linear CKA.
    """
    found = np.zeros((len(values), len(values)))
    for members in _large(groups):
        n = len(members)
        gram = _gram(np.asarray(values)[members])
        np.fill_diagonal(gram, 0.0)
        sums = gram.sum(axis=1)
        gram += gram.sum() / ((n - 1) * (n - 2)) - (sums[:, None] + sums[None]) / (n - 2)
        np.fill_diagonal(gram, 0.0)
        found[np.ix_(members, members)] = gram
    return found


def _doubly_centred(values: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """(N, N): in each group the centred Gram matrix (Kornblith et al. 2019, arXiv 1905.00414)."""
    found = np.zeros((len(values), len(values)))
    for members in _large(groups):
        found[np.ix_(members, members)] = _gram(np.asarray(values)[members])
    return found
