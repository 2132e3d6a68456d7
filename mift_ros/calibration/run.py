"""From flights to a calibration with its provenance and its proof."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros import __version__
from mift_ros.cache.reader import MapCache
from mift_ros.calibration.fit import clear, fit, right, significances
from mift_ros.calibration.proof import Curve, Proof, operating_curve, prove
from mift_ros.calibration.samples import AS_FLOWN, Sample, Sampler, kept_samples
from mift_ros.evaluation.bag import Bag, storage_files
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.topics import Topics
from mift_ros.geometry.camera import NADIR_MOUNT
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.calibration import FORMAT, SHA_SHOWN, Calibration
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.gate import lead
from mift_ros.localization.localizer import Localizer

Progress = Callable[[str, int, int], None]
"""Called with the flight, its frames done and its frames in all."""
CHUNK = 1 << 20
DIGITS = 4


@dataclass(frozen=True)
class FlightOver:
    """A recorded flight and the cache of the map it was flown over."""

    bag: Path
    cache: Path

    @property
    def name(self) -> str:
        """Folder and name of the bag: flights of several maps are often called alike."""
        return "-".join(self.bag.resolve().parts[-2:])


@dataclass(frozen=True)
class Material:
    """What to fit to: flights, maps of other ground, the model and the parameters it flies with.

    With `wrong` flights the gate is fitted to their false headings alone. `topics`, the camera's mount
    (`body_from_camera` [3, 3] as in CameraModel) and whether its images are rectified are those of all flights.
    """

    flights: Sequence[FlightOver]
    wrong: Sequence[FlightOver]
    elsewhere: Sequence[Path]
    embedder: Embedder
    config: LocalizerConfig
    topics: Topics = field(default_factory=Topics)
    body_from_camera: npt.NDArray[np.float64] = field(default_factory=lambda: NADIR_MOUNT)
    image_is_rectified: bool = False

    def bag(self, flight: FlightOver) -> Bag:
        """The recording of one flight."""
        return Bag(flight.bag, self.topics)


def collect(material: Material, folder: Path, progress: Progress = lambda name, done, total: None) -> list[Sample]:
    """The samples of all flights; those of a flight that was finished before are taken from `folder`.

    Raises:
        BagError, CacheError: a flight or a map that cannot be used.
    """
    every = [(flight, flight.name, _sampled) for flight in material.flights]
    every += [(flight, f"{flight.name}-over-{flight.cache.stem}", _wrong) for flight in material.wrong]
    found: list[Sample] = []
    for flight, name, sampled in every:
        frames = material.bag(flight).frames
        made = kept_samples(folder / f"{name}.jsonl", _origin(material, flight), partial(sampled, material, flight))
        for done, some in enumerate(made, 1):
            found += [replace(sample, flight=name, ground=_name(flight.cache)) for sample in some]
            progress(name, min(done, frames), frames)
        progress(name, frames, frames)
    return found


def calibrate(samples: Sequence[Sample], material: Material) -> tuple[Calibration, Proof, Curve]:
    """Fit to all samples; the proof is by fits that leave the judged flights out.

    Raises:
        ConfigError: too few matches, or a single flight.
    """
    flown = {flight.name for flight in material.flights}
    own = [s for s in samples if s.flight in flown]
    wrong = [s for s in samples if s.flight not in flown] or [s for s in own if s.kind != AS_FLOWN]
    fitted = fit(own, wrong, material.config)
    proof = prove(clear(own, fitted.leads, fitted.usual))
    calibration = replace(
        fitted,
        model_sha256=material.embedder.identity.weights_sha256,
        provenance=_provenance(own, wrong, material, fitted, proof),
    )
    return calibration, proof, operating_curve(own, wrong, calibration)


def _wrong(material: Material, flight: FlightOver) -> Iterator[list[Sample]]:
    return Sampler(_over(material, flight.cache), material.embedder, []).wrong_samples(_flight(material, flight))


def _sampled(material: Material, flight: FlightOver) -> Iterator[list[Sample]]:
    own, *others = (_over(material, path) for path in (flight.cache, *material.elsewhere))
    return Sampler(own, material.embedder, others).samples(_flight(material, flight))


def _over(material: Material, cache: Path) -> Localizer:
    return Localizer(MapCache.open(cache, material.embedder.identity), material.embedder, material.config)


def _flight(material: Material, flight: FlightOver) -> Flight:
    return Flight(material.bag(flight), material.config, material.body_from_camera, material.image_is_rectified)


def _origin(material: Material, flight: FlightOver) -> str:
    """What the samples of a flight depend on, as one line."""
    files = [*storage_files(flight.bag), flight.cache, *material.elsewhere]
    stated = [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    recorded = astuple(material.topics), material.body_from_camera.tolist(), material.image_is_rectified
    parameters = sorted(asdict(material.config).items())
    text = repr((FORMAT, stated, material.embedder.identity.weights_sha256, parameters, recorded))
    return hashlib.sha256(text.encode()).hexdigest()


def _provenance(
    samples: Sequence[Sample], wrong: Sequence[Sample], material: Material, fitted: Calibration, proof: Proof
) -> dict[str, Any]:
    """For people: what was used, how much of it, and how the fit did on flights that it had not seen."""
    identity, flights = material.embedder.identity, [*material.flights, *material.wrong]
    caches = sorted({flight.cache for flight in flights})
    return {
        "model": f"{identity.name} {identity.variant}",
        "fitted_utc": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "software": f"mift_ros {__version__}",
        "frames_as_flown": sum(s.kind == AS_FLOWN for s in samples),
        "right_matches": len(right(samples)),
        "clear_matches": proof.matches,
        "wrong_matches": len(wrong),
        "greatest_wrong_significance": round(max(significances(s)[0] for s in wrong), DIGITS),
        "greatest_wrong_lead": round(max(lead(significances(s), fitted.usual) for s in wrong), DIGITS),
        "held_out": {
            "flights": proof.flights,
            "inside_1_2_3_sigma": [round(share, DIGITS) for share in proof.within],
            "nees_per_dof": round(proof.nees, DIGITS),
            "heading_nees": round(proof.heading_nees, DIGITS),
        },
        "flights": {flight.name: _sha256(storage_files(flight.bag)) for flight in material.flights},
        "flights_of_wrong_matches": {flight.name: _sha256(storage_files(flight.bag)) for flight in material.wrong},
        "caches": {_name(path): _sha256([path]) for path in caches},
        "elsewhere": {_name(path): _sha256([path]) for path in material.elsewhere},
    }


def _name(path: Path) -> str:
    return "-".join(path.resolve().parts[-2:])


def _sha256(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()[:SHA_SHOWN]
