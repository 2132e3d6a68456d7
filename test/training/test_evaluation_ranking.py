"""The evaluator against the published protocol written out with loops, and against hand-computed rankings."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mift_ros.errors import TrainingError
from training.evaluation import ranking
from training.evaluation.ranking import JUNK, Ranking, nearest, rank_embeddings

KS = (1, 2, 3, 5, 10)


def protocol(
    scores: npt.NDArray[np.float64], query_labels: list[int], gallery_labels: list[int]
) -> tuple[list[list[float]], list[float], list[float]]:
    """Per query: CMC over the gallery's size, trapezoid AP, Eq. 6; equal scores in the gallery's order."""
    curves, trapezoids, sixes = [], [], []
    for row, label in zip(scores, query_labels):
        ranked = [index for index in np.argsort(-row, kind="stable") if gallery_labels[index] != -1]
        cmc, trapezoid, six, found = [0.0] * len(gallery_labels), 0.0, 0.0, 0
        matches = sum(gallery_labels[index] == label for index in ranked)
        for rank, index in enumerate(ranked):
            if gallery_labels[index] != label:
                continue
            if not found:
                cmc[rank:] = [1.0] * (len(cmc) - rank)
            before = found / rank if rank else 1.0
            found += 1
            precision = found / (rank + 1)
            trapezoid += (before + precision) / 2 / matches
            six += precision / matches
        curves.append(cmc)
        trapezoids.append(trapezoid)
        sixes.append(six)
    return curves, trapezoids, sixes


def rank_scores(scores: npt.NDArray[np.float64], query_labels: list[int], gallery_labels: list[int]) -> Ranking:
    """Rank by given scores: the gallery is an orthonormal basis, so that a query's coordinates are its scores."""
    queries = torch.tensor(scores, dtype=torch.float32)
    return rank_embeddings(
        queries, torch.tensor(query_labels), torch.eye(scores.shape[1]), torch.tensor(gallery_labels)
    )


@st.composite
def rankings(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], list[int], list[int]]:
    """Scores of few different values, hence many ties; several true matches; some junk."""
    classes = draw(st.integers(1, 4))
    gallery_labels = list(range(classes)) + draw(st.lists(st.integers(-1, classes + 1), max_size=12))
    gallery_labels = draw(st.permutations(gallery_labels))
    query_labels = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=5))
    levels = draw(st.sampled_from((2, 3, 1000)))
    values = st.integers(-levels, levels).map(lambda level: level / 8)
    count = len(query_labels) * len(gallery_labels)
    scores = np.array(draw(st.lists(values, min_size=count, max_size=count)))
    return scores.reshape(len(query_labels), -1), query_labels, list(gallery_labels)


@given(rankings(), st.sampled_from((1, 7, 2**22)))
@settings(max_examples=300, deadline=None)
def test_equals_the_protocol_with_ties_junk_and_several_matches(
    case: tuple[npt.NDArray[np.float64], list[int], list[int]], chunk: int
) -> None:
    curves, trapezoids, sixes = protocol(*case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "CHUNK_SCORES", chunk)
        ours = rank_scores(*case)
    np.testing.assert_allclose(ours.ap_trapezoid, trapezoids, rtol=1e-12)
    np.testing.assert_allclose(ours.ap_eq6, sixes, rtol=1e-12)
    cmc = np.mean(curves, axis=0)
    for k in range(1, len(cmc) + 1):
        assert ours.recall_at(k) == pytest.approx(cmc[k - 1])
    index = round(len(cmc) * 0.01)
    assert ours.recall_at(ours.one_percent) == pytest.approx(cmc[min(index, len(cmc) - 1)])


@given(rankings())
@settings(max_examples=100, deadline=None)
def test_recall_never_falls_with_k(case: tuple[npt.NDArray[np.float64], list[int], list[int]]) -> None:
    ours = rank_scores(*case)
    recalls = [ours.recall_at(k) for k in range(len(case[2]) + 1)]
    assert recalls == sorted(recalls) and recalls[0] == 0.0 and recalls[-1] == 1.0


@given(rankings())
@settings(max_examples=100, deadline=None)
def test_nearest_is_the_head_of_the_same_ranking(case: tuple[npt.NDArray[np.float64], list[int], list[int]]) -> None:
    scores = case[0]
    got = nearest(torch.tensor(scores, dtype=torch.float32), torch.eye(scores.shape[1]), 5)
    assert got.tolist() == np.argsort(-scores, axis=1, kind="stable")[:, :5].tolist()


@pytest.mark.parametrize(
    ("hits", "trapezoid", "six"),
    [
        ((0,), 1.0, 1.0),
        ((1,), (0 + 1 / 2) / 2, 1 / 2),
        ((9,), (0 + 1 / 10) / 2, 1 / 10),
        ((0, 1), 1.0, 1.0),
        ((0, 2), ((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2) / 2, (1 + 2 / 3) / 2),
        ((1, 3), ((0 + 1 / 2) / 2 + (1 / 3 + 2 / 4) / 2) / 2, (1 / 2 + 2 / 4) / 2),
    ],
)
def test_average_precision_by_hand(hits: tuple[int, ...], trapezoid: float, six: float) -> None:
    labels = [7 if rank in hits else 100 + rank for rank in range(12)]
    ours = rank_scores(np.arange(12, 0, -1)[None] / 16, [7], labels)
    assert ours.ap_trapezoid[0] == pytest.approx(trapezoid)
    assert ours.ap_eq6[0] == pytest.approx(six)
    assert ours.first_rank[0] == hits[0]


def test_queries_with_different_numbers_of_matches_are_ranked_together() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6]])
    ours = rank_scores(scores, [1, 2], [1, 1, 1, 2])
    assert ours.first_rank.tolist() == [0, 3]
    assert ours.ap_eq6.tolist() == [1.0, 0.25]


def test_junk_is_removed_before_ranking_but_counts_for_one_percent() -> None:
    labels = [JUNK] * 100 + [5, 6]
    ours = rank_scores(np.linspace(1.0, 0.0, 102)[None], [5], labels)
    assert ours.first_rank.tolist() == [0]
    assert ours.one_percent == 2


@pytest.mark.parametrize(("gallery", "k"), [(951, 11), (51355, 515), (49, 1), (50, 1), (51, 2), (701, 8)])
def test_one_percent_is_one_image_further_as_in_the_published_scripts(gallery: int, k: int) -> None:
    nothing = np.zeros(1)
    assert Ranking(np.zeros(1, np.int64), nothing, nothing, gallery).one_percent == k


def test_equal_scores_keep_the_gallery_order_whatever_the_sign_of_zero() -> None:
    assert rank_scores(np.array([[0.0, -0.0, 0.0]]), [1], [0, 1, 2]).first_rank.tolist() == [1]
    assert rank_scores(np.array([[-0.5, -0.5, -0.25]]), [1], [0, 1, 2]).first_rank.tolist() == [2]


def test_planted_perfect_embeddings_give_100_percent() -> None:
    labels = torch.arange(60) % 12
    places = torch.nn.functional.normalize(torch.randn(12, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    ours = rank_embeddings(places, torch.arange(12), places[labels], labels)
    assert ours.recall_at(1) == ours.mean_ap_trapezoid == ours.mean_ap_eq6 == 1.0


def test_planted_random_embeddings_give_chance() -> None:
    queries, gallery = 4000, 100
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(queries) % gallery
    ours = rank_embeddings(
        torch.randn(queries, 16, generator=generator),
        labels,
        torch.randn(gallery, 16, generator=generator),
        torch.arange(gallery),
    )
    for k in KS:
        chance = k / gallery
        # Queries share one gallery, which widens the spread a little beyond the binomial's.
        assert abs(ours.recall_at(k) - chance) < 5 * math.sqrt(chance * (1 - chance) / queries)


def test_half_precision_embeddings_are_ranked_in_single_precision() -> None:
    queries, gallery = torch.randn(6, 8).half(), torch.randn(9, 8).half()
    labels = torch.arange(9) % 3
    half = rank_embeddings(queries, labels[:6], gallery, labels)
    single = rank_embeddings(queries.float(), labels[:6], gallery.float(), labels)
    assert half.ap_trapezoid.tolist() == single.ap_trapezoid.tolist()


@pytest.mark.parametrize(
    ("queries", "labels", "gallery", "message"),
    [
        (torch.zeros(0, 4), [], torch.zeros(3, 4), "the query set is empty"),
        (torch.zeros(1, 5), [0], torch.zeros(3, 4), "queries have 5 dimensions and the gallery 4"),
        (torch.zeros(1, 4), [9], torch.zeros(3, 4), "no image of the gallery shows class 9"),
        (torch.full((1, 4), math.nan), [0], torch.zeros(3, 4), "not finite"),
        (torch.zeros(2, 4), [0], torch.zeros(3, 4), "one label for each query"),
    ],
)
def test_what_cannot_be_ranked_is_said_in_one_line(
    queries: torch.Tensor, labels: list[int], gallery: torch.Tensor, message: str
) -> None:
    with pytest.raises(TrainingError, match=message) as raised:
        rank_embeddings(queries, torch.tensor(labels, dtype=torch.int64), gallery, torch.tensor([0, 1, 2]))
    assert "\n" not in str(raised.value)
