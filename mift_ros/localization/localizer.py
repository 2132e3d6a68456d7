"""The heart: locate(frame, telemetry) -> Fix | Rejection, called by the node, the replay and the tests alike."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.errors import GeometryError
from mift_ros.inference.embedder import Embedder
from mift_ros.localization import gate, quality
from mift_ros.localization.belief import Belief
from mift_ros.localization.calibration import load_calibration
from mift_ros.localization.chance import Chance
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.fix import Matched, make_fix
from mift_ros.localization.hypotheses import Hypotheses, make_hypotheses
from mift_ros.localization.quality import Refusal
from mift_ros.localization.refine import Candidate, Refiner
from mift_ros.localization.search import Scores, TileSearch, TileVote
from mift_ros.localization.types import Frame, Prior, Reason, Rejection, Result, Telemetry

NS = 1e9
OUTSIDE_AT_START = 0.1
"""Probability, before anything is seen, that the vehicle is not over the map."""


@dataclass(frozen=True)
class _Refused:
    """Why a frame gives no fix, and the match that the gate refused if it came to one."""

    refusal: Refusal
    matched: Matched | None = None


class Localizer:
    """Matches frames against one map cache; keeps a belief between frames.

    Not thread-safe: one thread calls it, frame after frame in the order of their stamps.

    Raises:
        CacheError: the cache was built with another model than the embedder's.
        ConfigError: the calibration cannot be read or is another model's.
    """

    def __init__(self, cache: MapCache, embedder: Embedder, config: LocalizerConfig | None = None) -> None:
        config = config or LocalizerConfig()
        cache.manifest.check_model(embedder.identity, str(cache.path))
        self.calibration = load_calibration(config.calibration, embedder.identity)
        self.cache, self.config = cache, self.calibration.applied(config)
        self._embedder = embedder
        self._search = TileSearch(cache.embeddings)
        self._chance = Chance(cache)
        m = cache.manifest
        self._vote = TileVote(cache.cells, m.grid_rows, m.grid_cols, m.stride_m)
        first = cache.centres_m[0] - cache.cells[0][::-1] * np.array([m.stride_m, -m.stride_m])
        self._belief = Belief(first[0], first[1], m.grid_rows, m.grid_cols, m.stride_m, OUTSIDE_AT_START)
        self.reset()

    def reset(self) -> None:
        """Forget where the vehicle was: the next frame searches the whole map."""
        self._belief.reset()
        self._last: tuple[int, Telemetry] | None = None
        self._last_fix_ns: int | None = None

    def locate(self, frame: Frame, telemetry: Telemetry) -> Result:
        """Where the vehicle was at the exposure, or why that cannot be said."""
        started = time.perf_counter()
        result = self._result(frame.stamp_ns, self._process(frame, telemetry))
        return replace(result, latency_s=time.perf_counter() - started)

    def _process(self, frame: Frame, telemetry: Telemetry) -> Matched | _Refused:
        refusal = (
            self._check_time(frame.stamp_ns)
            or quality.check_image(frame)
            or quality.check_telemetry(frame, telemetry, self.config)
        )
        if refusal:
            return _Refused(refusal)
        self._predict(frame.stamp_ns, telemetry)
        manifest = self.cache.manifest
        try:
            made = make_hypotheses(frame, telemetry, self.config, manifest.tile_size_m, manifest.input_size)
        except GeometryError as error:
            return _Refused(Refusal(Reason.OBLIQUE, str(error), {}))
        widest = max(made.poses, key=lambda pose: pose.coverage)
        refusal = quality.check_patch(made.patches[widest.looks.start], widest.coverage, self.config)
        return _Refused(refusal) if refusal else self._match(made, telemetry)

    def _match(self, made: Hypotheses, telemetry: Telemetry) -> Matched | _Refused:
        """Search, verify, fold into the belief, decide."""
        scores = self._score(made)
        candidates, refusal = self._candidates(made, scores, telemetry.prior)
        if refusal:
            return _Refused(refusal)
        refiner = Refiner(self.cache, made.views, made.heading_step_deg, made.scale_step)
        alignments = refiner.refine(candidates, self.cache.manifest.tile_size_m / 3)
        if not alignments:
            self._update(made, scores)
            return _Refused(Refusal(Reason.OUT_OF_MAP, "no map around any of the best tiles", {}))
        noise = refiner.noise(alignments[0], self._chance)
        gsd_m = self.cache.manifest.raster_gsd_m
        matched = Matched(made, tuple(alignments), noise, telemetry, self.config, gsd_m)
        # before the first fix the belief rests on tile scores alone, which err alike from frame to frame
        followed = self._last_fix_ns is not None
        expected = self._belief.mass_within(*matched.vehicle_m, gate.NEIGHBOURHOOD_M) if followed else 0.0
        self._update(made, scores)
        posterior = self._belief.mass_within(*matched.vehicle_m, gate.NEIGHBOURHOOD_M)
        margin = gate.margin(alignments)
        evidence = gate.Evidence(matched.best.score, matched.significance, margin, expected, posterior)
        refusal = gate.refuse(evidence, self.config)
        return _Refused(refusal, matched) if refusal else matched

    def _score(self, made: Hypotheses) -> Scores:
        """Best score of each tile over the poses whose patch is covered well enough."""
        cosine = self._search(self._embedder.embed(made.patches))
        best = np.full(len(self.cache), -np.inf, np.float32)
        which = np.zeros(len(self.cache), np.intp)
        for index, pose in enumerate(made.poses):
            if pose.coverage < self.config.min_coverage:
                continue
            score = self._vote(cosine[pose.looks], pose.shifts_m)
            better = score > best
            best[better], which[better] = score[better], index
        return Scores(best, which)

    def _check_time(self, stamp_ns: int) -> Refusal | None:
        """Refuse a frame that is late or repeated; start again after a long step back (a clock set, a bag repeated)."""
        late_s = (self._last[0] - stamp_ns) / NS if self._last else -1.0
        if late_s < 0:
            return None
        if late_s > self.config.lost_after_s:
            self.reset()
            return None
        detail = f"the frame is {late_s:.3f} s before the last one or repeats it"
        return Refusal(Reason.STALE, detail, {"late_s": late_s})

    def _predict(self, stamp_ns: int, telemetry: Telemetry) -> None:
        """Move the belief to the time of the frame; lost for long, it starts again."""
        if self._last is not None:
            elapsed = (stamp_ns - self._last[0]) / NS
            here, before = np.array(telemetry.odometry_enu_m), np.array(self._last[1].odometry_enu_m)
            shift, sigma = here - before, 1.0
            if np.isfinite(shift).all():
                sigma += self.config.odometry_sigma * float(np.hypot(*shift))
            else:
                shift, sigma = np.zeros(2), sigma + self.config.max_speed_mps * elapsed / 2
            self._belief.predict((float(shift[0]), float(shift[1])), sigma)
        anchor = self._last_fix_ns
        if anchor is not None and (stamp_ns - anchor) / NS > self.config.lost_after_s:
            self._belief.reset()
            self._last_fix_ns = None
        self._last = (stamp_ns, telemetry)

    def _candidates(
        self, made: Hypotheses, scores: Scores, prior: Prior | None
    ) -> tuple[list[Candidate], Refusal | None]:
        """The best tiles by belief times likelihood, inside the prior's gate when there is one."""
        offsets = np.array([made.offset_m(k) for k in range(len(made.poses))])
        vehicles = self.cache.centres_m - offsets[scores.pose]
        weight = self._belief.at(vehicles) + 1e-12
        if prior is not None:
            at = self.cache.frame.to_local(prior.lat_deg, prior.lon_deg)
            reach = self.config.prior_gate_sigma * prior.sigma_m + self.cache.manifest.tile_size_m / 2
            inside = np.hypot(*(vehicles - at).T) <= reach
            if not inside.any():
                return [], Refusal(Reason.OUT_OF_MAP, f"the prior's gate of {reach:.0f} m holds no tile of the map", {})
            if self._last_fix_ns is None:  # else every repetition of one prior would count as news
                self._belief.concentrate(float(at[0]), float(at[1]), prior.sigma_m)
            weight = np.where(inside, self._belief.at(vehicles) + 1e-12, 0.0)
        weight = weight * self._likelihood(scores.best)
        count = min(self.config.candidates, int(np.count_nonzero(weight)))
        best = np.argpartition(-weight, count - 1)[:count]
        found = []
        for tile in best[np.argsort(-weight[best], kind="stable")]:
            pose = made.poses[scores.pose[tile]]
            east, north = self.cache.centres_m[tile]
            found.append(Candidate(pose.view, (float(east), float(north)), pose.heading_deg, 1.0))
        return found, None

    def _likelihood(self, best: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Per tile, up to a factor: a softmax of the cosines mixed with the chance that they say nothing."""
        sharp = np.exp((best.astype(np.float64) - float(best.max())) / self.config.similarity_temperature)
        share = self.config.outlier_share
        return np.asarray((1 - share) * sharp / sharp.sum() + share / len(best))

    def _update(self, made: Hypotheses, scores: Scores) -> None:
        """Fold the tile scores into the belief, taking the patch to lie where the best tile's hypothesis says."""
        likelihood = self._likelihood(scores.best).astype(np.float32)
        self._belief.update(self._vote.grid(likelihood), made.offset_m(int(scores.pose[scores.best.argmax()])))

    def _result(self, stamp_ns: int, outcome: Matched | _Refused) -> Result:
        if isinstance(outcome, _Refused):
            match = outcome.matched.picture(self.cache.manifest) if outcome.matched else None
            return Rejection(stamp_ns, *outcome.refusal, match=match)
        match = outcome.picture(self.cache.manifest)
        fix = make_fix(stamp_ns, self.cache.frame, outcome, match, self.calibration)
        self._belief.concentrate(*fix.position_m, math.sqrt(float(fix.covariance[0, 0])))
        self._last_fix_ns = stamp_ns
        return fix
