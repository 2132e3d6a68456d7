"""What a data set lacks: folders, classes, images, positions, each told in one line."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mift_ros.errors import TrainingError
from training.data.multiview.check_images import Progress, damaged_and_odd, no_progress
from training.data.multiview.dataset import MultiviewDataset
from training.data.multiview.parts import Part

NAMED = 5
"""Classes, files or folders that a line names before it only counts."""

Images = dict[int, tuple[Path, ...]]


class Severity(str, enum.Enum):
    """Whether training or evaluation cannot be done, or is not what the authors of the set did."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    severity: Severity
    text: str


@dataclass(frozen=True)
class Contents:
    """What a part holds; images is None where its folder is missing."""

    part: Part
    images: Images | None

    @property
    def classes(self) -> int:
        """Classes with images."""
        return sum(bool(files) for files in (self.images or {}).values())

    @property
    def files(self) -> tuple[Path, ...]:
        """All image files."""
        return tuple(path for files in (self.images or {}).values() for path in files)


@dataclass(frozen=True)
class Report:
    """All that was found; usable when nothing that training or evaluation needs is missing."""

    dataset: MultiviewDataset
    contents: tuple[Contents, ...]
    findings: tuple[Finding, ...]
    decoded: int

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that stop training or evaluation."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def check_dataset(dataset: MultiviewDataset, deep: bool = False, progress: Progress = no_progress) -> Report:
    """Compare a set with what training, evaluation and its authors expect; deep: decode every image, else a sample."""
    parts = tuple(dict.fromkeys((*dataset.satellite, *dataset.drone, *dataset.evaluation_parts())))
    contents: dict[Part, Contents] = {}
    findings: list[Finding] = []
    for part in parts:
        contents[part], found = _look_into(part, dataset.root, {other.folder for other in parts})
        findings += found
    findings += [finding for each in contents.values() for finding in _against_published(each)]
    findings += _training_findings(dataset, contents)
    for task in dataset.retrieval:
        findings += _task_findings(contents[task.queries], contents[task.gallery])
    findings += _position_findings(dataset, contents)
    decoded, damaged, odd = damaged_and_odd([each.files for each in contents.values()], dataset.side_px, deep, progress)
    if damaged:
        findings.append(_error(f"damaged images: {_named(damaged)}"))
    findings += [Finding(Severity.WARNING, text) for text in odd]
    return Report(dataset, tuple(contents.values()), tuple(dict.fromkeys(findings)), decoded)


def _look_into(part: Part, root: Path, folders_of_set: set[Path]) -> tuple[Contents, list[Finding]]:
    if not part.folder.is_dir():
        return Contents(part, None), [_error(f"{part.folder} is missing{_meant(part.folder, root, folders_of_set)}")]
    folders, strangers = part.class_folders()
    findings = [_error(_stranger(part.folder / name)) for name in strangers[:NAMED]]
    return Contents(part, part.images_in(folders)), findings


def _meant(missing: Path, root: Path, folders_of_set: set[Path]) -> str:
    """The folder beside the missing one that was probably meant by it, which is no other folder of the set."""
    while missing != root and not missing.parent.is_dir():
        missing = missing.parent
    beside = [path.name for path in missing.parent.iterdir() if path.is_dir() and path not in folders_of_set]
    close = get_close_matches(missing.name, beside, 1)
    return f"; is {missing.parent / close[0]} meant by it?" if close else ""


def _stranger(folder: Path) -> str:
    if any(path.is_dir() and path.name.isdigit() for path in folder.iterdir()):
        return f"{folder} holds class folders itself: move them up one level"
    return f"{folder} is not named by a number, as the folder of a class is"


def _against_published(contents: Contents) -> Iterator[Finding]:
    published, files = contents.part.published, len(contents.files)
    if (
        published is None
        or contents.images is None
        or (contents.classes, files) == (published.classes, published.images)
    ):
        return
    found = f"{contents.classes:,} classes with {files:,} images"
    expected = f"the authors count {published.classes:,} with {published.images:,}"
    yield Finding(Severity.WARNING, f"{contents.part.name} has {found}; {expected}")


def _training_findings(dataset: MultiviewDataset, contents: dict[Part, Contents]) -> Iterator[Finding]:
    if any(contents[part].images is None for part in (*dataset.satellite, *dataset.drone)):
        return
    labels: dict[str, set[int]] = {"satellite": set(), "drone": set()}
    known: set[int] = set()
    for part in (*dataset.satellite, *dataset.drone):
        images = contents[part].images or {}
        known |= images.keys()
        labels[part.view.value] |= {label for label, files in images.items() if files}
    for view, having in labels.items():
        if lacking := sorted(known - having):
            yield _error(f"training classes without {view} images: {_numbers(lacking)}")
    if len(known) < 2:
        yield _error(f"training classes: {len(known)}; at least 2 are needed")


def _task_findings(queries: Contents, gallery: Contents) -> Iterator[Finding]:
    for contents in (queries, gallery):
        empty = [label for label, files in (contents.images or {}).items() if not files]
        if empty:
            severity = Severity.ERROR if contents is queries else Severity.WARNING
            yield Finding(severity, f"empty classes in {contents.part.name}: {_numbers(empty)}")
        if contents.images is not None and not contents.files:
            yield _error(f"{contents.part.name} has no images")
    if queries.images and gallery.images:
        alone = [label for label, files in queries.images.items() if files and not gallery.images.get(label)]
        if alone:
            yield _error(f"classes of {queries.part.name} are not in {gallery.part.name}: {_numbers(alone)}")


def _position_findings(dataset: MultiviewDataset, contents: dict[Part, Contents]) -> Iterator[Finding]:
    wanted = {
        "train": {label for part in dataset.satellite for label in contents[part].images or {}},
        "test": {label for part in dataset.evaluation_parts() for label in contents[part].images or {}},
    }
    if dataset.read_positions is None:
        return
    for split, labels in wanted.items():
        try:
            lacking = sorted(labels - dataset.positions(split).keys())
        except TrainingError as error:
            yield Finding(Severity.WARNING, str(error))
            continue
        if lacking:
            yield Finding(Severity.WARNING, f"{split} classes without position: {_numbers(lacking)}")


def _error(text: str) -> Finding:
    return Finding(Severity.ERROR, text)


def _numbers(labels: list[int]) -> str:
    return _named([f"{label:04d}" for label in labels])


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
