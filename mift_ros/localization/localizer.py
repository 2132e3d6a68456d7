"""The heart: locate(frame, telemetry) -> Fix | Rejection, called by the node, the replay and the tests alike."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.errors import GeometryError, ModelError
from mift_ros.inference.embedder import Embedder
from mift_ros.localization import gate, quality
from mift_ros.localization.calibration import load_calibration
from mift_ros.localization.chance import Chance
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.consistency import Consistency
from mift_ros.localization.fix import Matched, make_fix
from mift_ros.localization.hypotheses import Hypotheses, make_hypotheses
from mift_ros.localization.modes import Sighting, Support
from mift_ros.localization.places import Alignment, Candidate
from mift_ros.localization.prior import WaitingPrior
from mift_ros.localization.proposal import best_tiles, likelihood, where_expected
from mift_ros.localization.quality import Refusal
from mift_ros.localization.refine import Refiner
from mift_ros.localization.relief import Relief
from mift_ros.localization.search import MapSearch, Scores
from mift_ros.localization.standing import Standings
from mift_ros.localization.tracking import Tracker, belief_over
from mift_ros.localization.types import Frame, Prior, Reason, Rejection, Result, Telemetry


@dataclass(frozen=True)
class _Refused:
    """Why a frame gives no fix, and the match that the gate refused if it came to one."""

    refusal: Refusal
    matched: Matched | None = None


@dataclass(frozen=True)
class _Accepted:
    """The match that is published, and how probable its place is by all matches so far."""

    matched: Matched
    probability: float


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
        self.cache, self.config = cache, self.calibration.applied(config, len(cache))
        self._wrong = self.calibration.wrong(len(cache), config)
        self.search = MapSearch(cache, embedder, self.config.min_coverage)
        self._chance = Chance(cache)
        self._terrain = cache.terrain if self.config.use_terrain else None
        self._relief = Relief(cache, self._terrain, self.config) if self._terrain is not None else None
        self._tracker = Tracker(belief_over(cache), cache.manifest.tile_size_m, self.config)
        self._consistency = Consistency(self.config.odometry_sigma)
        self._prior = WaitingPrior()

    def reset(self) -> None:
        """Forget where the vehicle was: the next frame searches the whole map."""
        self._tracker.reset()
        self._consistency.reset()
        self._prior.used()

    def locate(self, frame: Frame, telemetry: Telemetry) -> Result:
        """Where the vehicle was at the exposure, or why that cannot be said."""
        started = time.perf_counter()
        result = self._result(frame.stamp_ns, self._process(frame, telemetry))
        return replace(result, latency_s=time.perf_counter() - started)

    def _process(self, frame: Frame, telemetry: Telemetry) -> _Accepted | _Refused:
        telemetry = self._prior.joined(frame.stamp_ns, telemetry)
        refusal = (
            self._tracker.check_time(frame.stamp_ns)
            or quality.check_image(frame)
            or quality.check_telemetry(frame, telemetry, self.config)
        )
        if refusal:
            return _Refused(refusal)
        self._tracker.predict(frame.stamp_ns, telemetry)
        manifest, tracker = self.cache.manifest, self._tracker
        try:
            made = make_hypotheses(
                frame, telemetry, self.config, manifest.tile_size_m, manifest.input_size, tracker.outlook()
            )
        except GeometryError as error:
            return _Refused(Refusal(Reason.OBLIQUE, str(error), {}))
        widest = max(made.poses, key=lambda pose: pose.coverage)
        refusal = quality.check_patch(made.patches[widest.looks.start], widest.coverage, self.config)
        return _Refused(refusal) if refusal else self._match(made, frame, telemetry)

    def _match(self, made: Hypotheses, frame: Frame, telemetry: Telemetry) -> _Accepted | _Refused:
        """Search, verify, fold into the belief, decide."""
        try:
            scores = self.search(made)
        except ModelError as error:
            return _Refused(Refusal(Reason.BAD_IMAGE, str(error), {}))
        self._prior.used()
        candidates, expected_count, refusal = self._candidates(made, scores, telemetry.prior)
        if refusal:
            return _Refused(refusal)
        refiner = self._refiner(made)
        alignments = refiner.refine(candidates, self.cache.manifest.tile_size_m / 3, expected_count)
        if not alignments:
            self._update(made, scores, [])
            return _Refused(Refusal(Reason.OUT_OF_MAP, "no map around any of the best tiles", {}))
        if self._relief is not None:
            made, alignments = self._relief.resolved(frame, telemetry, made, alignments, self._refiner)
            refiner = self._refiner(made)
        standings = Standings(self.cache, self._chance, refiner)
        matched = self._matched(made, alignments, standings, telemetry)
        supports = self._update(made, scores, self._sightings(matched))
        chosen = _chosen([support.after for support in supports])
        best, standing = matched.alignments[chosen], matched.standings[chosen]
        if best.peak is None:
            best = refiner.polished(best)
            standing = standings.of(best)
        matched = matched.led_by(chosen, best, standing)
        evidence = gate.Evidence(
            similarity=matched.best.score,
            significance=matched.significance,
            lead=matched.lead(self.calibration.usual),
            expected=supports[chosen].before,
            posterior=self._tracker.belief.mass_within(*matched.vehicle_m, gate.NEIGHBOURHOOD_M),
            mode=supports[chosen].after,
        )
        refusal = gate.refuse(evidence, self.config)
        if refusal:
            self._tracker.missed()
            return _Refused(refusal, matched)
        return _Accepted(matched, evidence.mode)

    def _refiner(self, made: Hypotheses) -> Refiner:
        return Refiner(self.cache, made.views, made.heading_step_deg, made.scale_step, self._chance)

    def _matched(
        self, made: Hypotheses, alignments: Sequence[Alignment], standings: Standings, telemetry: Telemetry
    ) -> Matched:
        """The places by how much they stand out, the clearest first."""
        ranked = sorted(((a, standings.of(a)) for a in alignments), key=lambda j: j[1].significance, reverse=True)
        places, judged = zip(*ranked)
        gsd_m = self.cache.manifest.raster_gsd_m
        return Matched(made, places, judged, telemetry, self.config, gsd_m, self._terrain)

    def _sightings(self, matched: Matched) -> list[Sighting]:
        """The matches as the modes weigh them, against how good wrong ones look."""
        learnt = self.calibration
        best = self._wrong * min(learnt.leads.per_frame(matched.lead(learnt.usual)), 1.0)
        found: list[Sighting] = []
        for alignment, standing in zip(matched.alignments, matched.standings):
            here = learnt.expected.per_frame(standing.significance)
            height_agl_m = matched.hypotheses.heights_m[alignment.view] * alignment.scale
            anywhere = 1.0 if found else best
            found.append(Sighting(matched.vehicle_at(alignment), alignment.heading_deg, height_agl_m, here, anywhere))
        return found

    def _candidates(
        self, made: Hypotheses, scores: Scores, prior: Prior | None
    ) -> tuple[list[Candidate], int, Refusal | None]:
        """Where the modes expect the view (so many), and the best tiles, inside the prior's gate when there is one."""
        vehicles = self.search.vehicles_m(made, scores)
        weight = self._tracker.belief.at(vehicles) + 1e-12
        if prior is not None and prior.age_s <= self.config.lost_after_s:
            at = self.cache.frame.to_local(prior.lat_deg, prior.lon_deg)
            sigma_m = prior.sigma_m + self.config.max_speed_mps / 2 * prior.age_s
            reach = self.config.prior_gate_sigma * sigma_m + self.cache.manifest.tile_size_m / 2
            inside = np.hypot(*(vehicles - at).T) <= reach
            if not inside.any():
                return (
                    [],
                    0,
                    Refusal(Reason.OUT_OF_MAP, f"the prior's gate of {reach:.0f} m holds no tile of the map", {}),
                )
            self._tracker.told((float(at[0]), float(at[1])), sigma_m)
            weight = np.where(inside, self._tracker.belief.at(vehicles) + 1e-12, 0.0)
        weight = weight * self._likelihood(scores)
        expected = where_expected(made, self._tracker.modes.all)
        tiles = best_tiles(made, scores, weight, self.cache.centres_m, self.config.candidates)
        return expected + tiles, len(expected), None

    def _likelihood(self, scores: Scores) -> npt.NDArray[np.float64]:
        return likelihood(scores.joint, self.config.similarity_temperature, self.config.outlier_share)

    def _update(self, made: Hypotheses, scores: Scores, sightings: list[Sighting]) -> list[Support]:
        """Fold the frame into the belief, taking the patch to lie where the best tile's hypothesis says."""
        likelihood = self.search.vote.grid(self._likelihood(scores).astype(np.float32))
        return self._tracker.update(likelihood, made.offset_m(int(scores.pose[scores.joint.argmax()])), sightings)

    def _result(self, stamp_ns: int, outcome: _Accepted | _Refused) -> Result:
        if isinstance(outcome, _Refused):
            match = outcome.matched.picture(self.cache.manifest) if outcome.matched else None
            return Rejection(stamp_ns, *outcome.refusal, match=match)
        match = outcome.matched.picture(self.cache.manifest)
        fix = make_fix(stamp_ns, self.cache.frame, outcome.matched, match, self.calibration)
        fix = self._consistency.widened(fix, outcome.matched.telemetry.odometry_enu_m)
        sigma_m = math.sqrt(float(fix.covariance[0, 0]))
        self._tracker.fixed(stamp_ns, fix.position_m, sigma_m, outcome.probability)
        return fix


def _chosen(probabilities: Sequence[float]) -> int:
    """The match of the most likely mode if it is more likely than all else together, else the best match."""
    likeliest = max(range(len(probabilities)), key=lambda k: probabilities[k])
    return likeliest if probabilities[likeliest] > 0.5 else 0
