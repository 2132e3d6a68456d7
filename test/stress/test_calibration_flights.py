"""The calibration's flights are others than those it is judged by, and are made once."""

from mift_ros.evaluation.bag import Bag
from mift_ros.inference.load import load_embedder
from mift_ros.stress import grounds
from mift_ros.stress.calibration_flights import GROUNDS, SECONDS, FlownGround, prepare
from mift_ros.stress.grounds import Ground
from mift_ros.stress.scenarios import SCENARIOS

PLANS = [plan for flown in GROUNDS for plan in flown.plans]


def test_no_ground_and_no_flight_is_shared_with_the_suite():
    assert not {flown.ground.seed for flown in GROUNDS} & {ground.seed for ground in grounds.GROUNDS.values()}
    assert len({flown.name for flown in GROUNDS}) == len(GROUNDS)
    assert len({plan.seed for plan in PLANS} - {scenario.seed for scenario in SCENARIOS}) == len(PLANS) == 72


def test_every_ground_is_wide_enough_for_its_flights():
    for flown in GROUNDS:
        for plan in flown.plans:
            half_m = plan.height_agl_m * (plan.width**2 + plan.height**2) ** 0.5 / 2 / plan.camera.fx
            assert 1.3 * half_m < flown.ground.map_m / 2


def test_flights_in_order_and_off_it_are_flown_at_every_kind_of_height():
    tilted = {plan.phases[0].disturbances.tilt_deg for plan in PLANS}
    assert tilted == {0.0, 12.0, 25.0}
    windy = [plan for plan in PLANS if plan.phases[0].disturbances.wind_mps > 0]
    assert 0.1 < len(windy) / len(PLANS) < 0.3
    assert (min(p.height_agl_m for p in PLANS), max(p.height_agl_m for p in PLANS)) == (58.0, 210.0)


def test_what_is_there_is_not_made_again(tmp_path, tiny_model_path):
    flown = FlownGround("small", Ground(seed=1, size_m=400.0, map_m=400.0), (40.0,))
    made = prepare(flown, tmp_path, load_embedder(str(tiny_model_path)), lambda stage, done, total: None)
    (word,) = made
    bag, cache = word.split("=")
    assert Bag(tmp_path / "small" / "flight0").frames == 14 == int((SECONDS - 0.2) * 0.25)
    assert bag == str(tmp_path / "small" / "flight0") and cache.startswith(str(tmp_path / "small"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert prepare(flown, tmp_path, load_embedder(str(tiny_model_path)), lambda stage, done, total: None) == made
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
