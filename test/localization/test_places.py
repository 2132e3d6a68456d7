"""Which places are worth a closer look, and which of them are one."""

from mift_ros.localization.places import Alignment, Candidate, distinct, promising, thinned


def test_candidates_that_a_better_one_covers_are_dropped_unless_they_look_another_way():
    near, turned, far = (
        Candidate(0, (5.0, 5.0), 0.0, 1.0),
        Candidate(0, (5.0, 5.0), 90.0, 1.0),
        Candidate(0, (60.0, 0.0), 0.0, 1.0),
    )
    first = Candidate(0, (0.0, 0.0), 0.0, 1.0)
    assert list(thinned([first, near, turned, far], radius_m=24.0)) == [first, turned, far]


def test_one_alignment_per_place():
    spots = [Alignment(0, (x, 0.0), 0.0, 1.0, 1.0 - x / 1000, 1) for x in (0.0, 10.0, 35.0, 50.0, 80.0)]
    assert [a.centre_m[0] for a in distinct(spots, 30.0)] == [0.0, 35.0, 80.0]


def test_only_promising_places_are_looked_at_closer_and_the_best_two():
    scores = [1.0, 0.9, 0.71, 0.69, 0.5]
    assert promising(scores, lambda s: s) == scores[:3]
    assert promising([1.0, 0.3, 0.2, 0.1], lambda s: s) == [1.0, 0.3]
    assert promising([1.0, 0.3], lambda s: s, least=1) == [1.0]
    assert promising([1.0, 0.9, 0.8, 0.75], lambda s: s) == [1.0, 0.9, 0.8, 0.75]
    assert promising([], lambda s: s) == []
