"""The calibration's file, what it does to the parameters, and which one is taken."""

import math
from dataclasses import replace

import pytest

from mift_ros.errors import ConfigError
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.localization.calibration import APPROXIMATE, NONE, UNUSUAL_ONE_IN, Tail, load_calibration
from mift_ros.localization.config import LocalizerConfig

IDENTITY = ModelIdentity(
    name="mift", variant="mift_made_up", input_size=128, mean=(0.5,) * 3, std=(0.5,) * 3, colour_order="RGB",
    interpolation="bilinear", embedding_dim=8, regions=1, recipe="", weights_sha256="ab" * 32,
)  # fmt: skip
OURS = replace(
    APPROXIMATE,
    model_sha256="ab" * 32,
    leads=Tail(0.5, 0.5, 0.4),
    lost_share=0.1,
    misaligned_share=0.05,
    tiles=1000.0,
    ranks=(0.0, 0.01, 0.02, 0.03, 0.1),
    fitted=True,
    provenance={"flights": 3},
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "calibration.yaml"
    path.write_text(OURS.to_yaml())
    return path


def test_a_file_gives_back_what_was_written(file):
    assert load_calibration(str(file), IDENTITY) == OURS


def test_one_in_n_frames_is_where_the_tail_says():
    tail = Tail(start=5.0, rate=0.5, scale=0.4)
    assert tail.threshold(1000) == pytest.approx(5.0 + 0.4 * math.log(500))
    assert tail.per_frame(tail.threshold(1000)) == pytest.approx(1e-3)
    assert tail.threshold(10_000) > tail.threshold(1000)


def test_below_what_was_fitted_no_threshold_is_promised():
    assert Tail(start=5.0, rate=0.01, scale=0.4).threshold(2) == 5.0


def test_zeros_are_left_to_the_calibration_and_other_values_are_kept():
    config = LocalizerConfig(false_fix_one_in=100.0, off_map_share=0.0, similarity_temperature=0.2)
    filled = OURS.applied(config, tiles=1000)
    # over such a map every tenth frame is lost, and only those can be fixed falsely
    assert filled.min_lead == pytest.approx(OURS.leads.threshold(10))
    assert filled.min_significance == pytest.approx(OURS.anywhere.threshold(UNUSUAL_ONE_IN))
    assert filled.min_significance_expected == pytest.approx(OURS.expected.threshold(10))
    assert filled.similarity_temperature == 0.2
    assert OURS.applied(LocalizerConfig(min_lead=9.0), tiles=1000).min_lead == 9.0


def test_the_right_tile_is_lost_among_more_tiles():
    # 4 of 5 images have fewer than 50 of 1000 better tiles, of 2000 tiles 3 of 5
    assert OURS.lost(1000, 50) == pytest.approx(0.1)
    assert OURS.lost(100, 50) == pytest.approx(0.05)
    assert OURS.lost(2000, 50) == pytest.approx(1 - 0.9 * 3 / 4)
    assert OURS.lost(10**6, 50) == pytest.approx(1 - 0.9 * 1 / 4)


def test_ground_that_is_not_on_the_map_is_lost_too():
    over, half, off = (OURS.wrong(1000, LocalizerConfig(candidates=50, off_map_share=s)) for s in (0.0, 0.5, 1.0))
    assert (over, half, off) == pytest.approx((0.1, 0.55, 1.0))
    inside, doubtful = (OURS.applied(LocalizerConfig(off_map_share=s), 1000).min_lead for s in (0.0, 0.5))
    assert doubtful > inside


def test_a_large_map_asks_for_a_clearer_lead():
    small, large = (OURS.applied(LocalizerConfig(), tiles) for tiles in (1000, 100_000))
    assert large.min_lead > small.min_lead


def test_the_attitudes_sigma_can_be_given_by_the_user():
    assert OURS.error_model(LocalizerConfig(attitude_sigma_deg=1.0)).attitude_rad == pytest.approx(math.radians(1.0))
    assert OURS.error_model(LocalizerConfig()) == OURS.errors


def test_without_a_calibration_of_its_own_a_model_gets_guesses_that_say_so():
    for choice in ("", NONE):
        assert load_calibration(choice, IDENTITY) is APPROXIMATE
    assert not APPROXIMATE.fitted


def broken(old, new):
    return OURS.to_yaml().replace(old, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not YAML"),
        ("[1, 2]", "wanted 'mift calibration 5'"),
        (broken("calibration 5", "calibration 9"), "'mift calibration 9'"),
        (broken("leads:", "sometimes:"), "leads is missing"),
        (broken("residual_m: 8.0", "residual_m: wide"), "residual_m is 'wide'"),
        (broken("residual_m: 8.0", "residual_m: .nan"), "residual_m is nan"),
        (broken("residual_m: 8.0", "residual_m: -1.0"), "residual_m is -1.0"),
        (broken("alignment: 3.0", "alignment: 0.0"), "errors: alignment is 0.0, not a number above 0"),
        (broken("  heading: 3.0", "  heading: 0"), "errors: heading is 0, not a number above 0"),
        (broken("scale: 0.4", "scale: 0.0"), "leads: scale is 0.0, not a number above 0"),
        (broken("temperature: 0.05", "temperature: 0.0"), "temperature is 0.0, not a number above 0"),
        (broken("ab" * 32, "cd" * 32), "fitted with weights cdcdcdcdcdcd, but the loaded model is mift_made_up abab"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(file, text, message):
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_calibration(str(file), IDENTITY)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_nothing_is_divided_by_may_be_zero(file):
    file.write_text(broken("pull: 1.0", "pull: 0.0"))
    assert load_calibration(str(file), IDENTITY).errors.pull == 0.0


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_calibration(str(tmp_path / "no.yaml"), IDENTITY)
