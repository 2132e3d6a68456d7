"""The suite: what is flown, as data. Names of legs are the rows of the table."""

from __future__ import annotations

from mift_ros.simulation.disturbances import Disturbances as Trouble
from mift_ros.stress.scenario import Leg, Scenario

SCENARIOS = (
    Scenario("calm", "Nothing goes wrong.", "town", 101, (Leg("over the town", 80),)),
    Scenario(
        "wind", "Steady wind of 8 m/s with gusts that swing track and attitude.", "town", 102,
        (
            Leg("calm", 20),
            Leg("steady wind", 25, Trouble(wind_mps=8.0, wind_from_deg=250.0)),
            Leg("gusts", 35, Trouble(wind_mps=8.0, wind_from_deg=250.0, gust_mps=2.5, gust_tilt_deg=5.0)),
        ),
    ),
    Scenario(
        "blur", "Long exposures under fast motion, exposure in steps of up to 2 stops.", "town", 103,
        (
            Leg("exposure 15 ms in gusts", 30, Trouble(exposure_s=0.015, gust_tilt_deg=4.0, gust_period_s=1.5)),
            Leg("exposure 40 ms in gusts", 25, Trouble(exposure_s=0.04, gust_tilt_deg=4.0)),
            Leg("exposure steps", 30, Trouble(exposure_step_stops=2.0, exposure_step_every_s=3.0)),
        ),
    ),
    Scenario(
        "clouds", "Shadows of clouds that move, then haze, then nearly nothing to see.", "town", 104,
        (
            Leg("cloud shadows", 40, Trouble(cloud_cover=0.45, cloud_shadow=0.65, cloud_size_m=90.0)),
            Leg("haze, visibility 400 m", 20, Trouble(visibility_m=400.0)),
            Leg("fog, visibility 130 m", 15, Trouble(visibility_m=130.0), fix_due=False),
            Leg("clear again", 20),
        ),
    ),
    Scenario(
        "snow", "Half of the ground under snow, the rest of the vegetation dry.", "town", 105,
        (Leg("over the town", 70),), snow_cover=0.5, dry_share=0.8,
    ),
    Scenario(
        "tilt", "Nose down by up to 28 degrees, a gimbal that lags.", "town", 106,
        (
            Leg("15 deg tilt", 25, Trouble(tilt_deg=12.0)),
            Leg("30 deg tilt", 25, Trouble(tilt_deg=25.0)),
            Leg("gimbal lag 0.5 s in gusts", 35, Trouble(gimbal_lag_s=0.5, gust_tilt_deg=3.0)),
        ),
    ),
    Scenario(
        "compass", "The heading is 20 degrees off, then drifts.", "town", 107,
        (
            Leg("right heading", 20),
            Leg("20 deg off", 30, Trouble(heading_bias_deg=20.0)),
            Leg("drifts 1 deg/s", 30, Trouble(heading_drift_degps=1.0)),
        ),
    ),
    Scenario(
        "no-compass", "No heading at all, from the start.", "town", 108, (Leg("from the start", 60),),
        heading_known=False,
    ),
    Scenario(
        "nothing-known", "No heading, no odometry, no prior, the height 18 % off.", "town", 117,
        (Leg("from nothing known", 60, Trouble(height_scale_error=0.18, odometry_nan_share=1.0)),), heading_known=False,
    ),
    Scenario(
        "height", "The height above ground is 15 % off, then in steps.", "town", 109,
        (
            Leg("right height", 20),
            Leg("15 % too great", 25, Trouble(height_scale_error=0.15)),
            Leg("15 % too small", 25, Trouble(height_scale_error=-0.15)),
            Leg("steps of 25 m", 25, Trouble(height_step_m=25.0, height_step_every_s=4.0)),
        ),
    ),
    Scenario(
        "telemetry", "Telemetry that is NaN or jumps.", "town", 110,
        (
            Leg("in order", 15),
            Leg("attitude NaN, two of three", 15, Trouble(attitude_nan_share=0.66)),
            Leg("height NaN", 15, Trouble(height_nan_share=1.0)),
            Leg("all NaN", 10, Trouble(attitude_nan_share=1.0, height_nan_share=1.0, odometry_nan_share=1.0), False),
            Leg("attitude and height jump", 25, Trouble(jump_share=0.2), fix_due=False),
            Leg("odometry jumps", 20, Trouble(odometry_jump_m=150.0, odometry_jump_every_s=7.0)),
        ),
    ),
    Scenario(
        "clock", "Camera 80 ms ahead of the IMU in gusts, repeated images, a stamp that goes back.", "town", 111,
        (
            Leg("camera 80 ms ahead", 35, Trouble(camera_ahead_s=0.08, gust_tilt_deg=4.0)),
            Leg("every second image twice", 25, Trouble(duplicate_share=0.5)),
            Leg("a stamp 2.5 s back", 15, Trouble(stamp_back_s=2.5)),
        ),
    ),
    Scenario(
        "gap", "A third of the images lost, then 10 s without anything.", "town", 112,
        (
            Leg("a third lost", 45, Trouble(frame_drop_share=0.33)),
            Leg("gap", 10, Trouble(silent=True)),
            Leg("after 10 s of nothing", 35),
        ),
    ),
    Scenario(
        "water", "From the town out over a lake and back.", "shore", 113,
        (
            Leg("town", 18),
            Leg("over the shore", 14, fix_due=False),
            Leg("over water", 20, fix_due=False),
            Leg("back over the shore", 14, fix_due=False),
            Leg("after the water", 34),
        ),
        way_points_m=((-250.0, -200.0), (190.0, -250.0), (215.0, -140.0), (-450.0, 60.0)),
    ),
    Scenario(
        "country", "Fields and forest in another season, the vegetation dry.", "country", 114,
        (Leg("fields and forest", 90),), dry_share=0.5,
    ),
    Scenario(
        "all-at-once", "A little of everything over the countryside, under patches of snow.", "country", 118,
        (
            Leg(
                "fields and forest", 75,
                Trouble(
                    wind_mps=6.0, wind_from_deg=20.0, gust_mps=1.5, gust_tilt_deg=3.5, exposure_s=0.012,
                    exposure_step_stops=1.0, visibility_m=700.0, cloud_cover=0.3, heading_bias_deg=6.0,
                    height_scale_error=0.08, camera_ahead_s=0.03, frame_drop_share=0.1, duplicate_share=0.05,
                    height_nan_share=0.02, jump_share=0.02,
                ),
            ),
        ),
        snow_cover=0.2, dry_share=0.5,
    ),
    Scenario(
        "entry", "Take-off outside the map, entry, out again and back.", "clearing", 115,
        (
            Leg("outside", 5, fix_due=False),
            Leg("across the edge", 14, fix_due=False),
            Leg("inside", 34),
            Leg("across the edge again", 14, fix_due=False),
            Leg("outside again", 18, fix_due=False),
            Leg("back across the edge", 14, fix_due=False),
            Leg("inside again", 22),
        ),
        way_points_m=((-540.0, -150.0), (-150.0, -150.0), (-150.0, -50.0), (-540.0, -50.0)),
    ),
    Scenario(
        "kidnap", "Twice the vehicle is somewhere else from one image to the next.", "town", 116,
        (
            Leg("before", 25),
            Leg("first cut", 50, Trouble(cut=True)),
            Leg("after the jump of 600 m", 35),
            Leg("second cut", 40, Trouble(cut=True)),
            Leg("after the second jump", 30),
        ),
        way_points_m=((-540.0, -450.0), (540.0, -450.0), (540.0, 400.0), (-540.0, 400.0)),
    ),
)  # fmt: skip
QUICK = ("calm", "water", "entry", "kidnap")
