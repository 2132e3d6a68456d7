"""`mift bench inference|search|pipeline`: times beside their floors, measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
import numpy.typing as npt
import typer

from mift_ros.commands.measure import MATRIX_OPERATIONS, Report, Times, matrix_product, measure, rate_notes, reading

if TYPE_CHECKING:
    from mift_ros.inference.embedder import Embedder

BATCHES = (1, 8, 36, 54)
"""One look; a throughput; 36 headings; three looks at each of 18 headings, as the localizer asks without a heading."""
FLOOR_NOTE = (
    "the floor is the greater of the two: that of float32 products over float16 tiles, which int8 may stay below"
)
PRODUCT, READ = "float32 matrix product", "read the tiles once"

Repeats = Annotated[int, typer.Option(min=3, help="Timed repetitions; the median and the 95th percentile are shown.")]
Model = Annotated[str, typer.Option(help="Packaged model name or ONNX file.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the model on a CPU; 0: all.")]
Batches = Annotated[list[int] | None, typer.Option("--batch", min=1, help="Images at a time; several.  [1, 8, 36, 54]")]


def inference(
    models: Annotated[list[str] | None, typer.Option("--model", help="Model; several are compared.")] = None,
    repeats: Repeats = 20,
    threads: Threads = 0,
    batches: Batches = None,
) -> None:
    """Embedding latency and throughput of one or several models."""
    from mift_ros.inference.load import load_embedder, model_path
    from mift_ros.inference.operations import operations

    names = models or ["mift_nano"]
    compare_embedders(
        {name: load_embedder(name, threads) for name in names},
        {name: operations(model_path(name)) for name in names},
        repeats,
        batches,
    )


def compare_embedders(
    embedders: Mapping[str, Embedder], counts: Mapping[str, int | None], repeats: int, batches: Sequence[int] | None
) -> None:
    """One table of all models at all batches, None for the usual ones; `counts` are operations for one image."""
    batches = batches or BATCHES
    calls: dict[str, Callable[[], object]] = {PRODUCT: matrix_product()}
    rng = np.random.default_rng(0)
    for batch in batches:
        for name, embedder in embedders.items():
            size = embedder.identity.input_size
            images = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
            calls[_row(name, batch)] = partial(embedder.embed, images)
    times = measure(calls, repeats, "embedding")
    report = Report("embedding of RGB images, preprocessing included")
    notes, first = [], next(iter(embedders))
    for batch in batches:
        for name in embedders:
            report.add(_row(name, batch), times[_row(name, batch)], batch, product_floor(counts[name], batch, times))
            if name != first:
                notes.append(
                    f"batch {batch}: {_ratio(times[_row(first, batch)], times[_row(name, batch)], name, first)}"
                )
    report.show(*rate_notes(matrix=times[PRODUCT]), *notes)


def _ratio(first: Times, other: Times, name: str, than: str) -> str:
    wall, processor = first.median_s / other.median_s, first.median_processor_s / other.median_processor_s
    return f"{name} is {wall:.2f} times as fast as {than}, by processor time {processor:.2f}"


def _row(name: str, batch: int) -> str:
    return f"{name}, batch {batch}"


def product_floor(count: int | None, batch: int, times: Mapping[str, Times]) -> float | None:
    """Processor seconds of as many operations as float32 matrix products; None where they are not counted."""
    return None if count is None else batch * count * times[PRODUCT].median_processor_s / MATRIX_OPERATIONS


def search(
    tiles: Annotated[int, typer.Option(min=1, help="Tiles in the map.")] = 100_000,
    model: Model = "mift_nano",
    repeats: Repeats = 20,
) -> None:
    """Search over a map of random tiles for 1, 36 and 54 queries, beside one read of the tiles."""
    from mift_ros.inference.load import load_embedder
    from mift_ros.localization.cosines import tile_cosines

    embedder = load_embedder(model)
    size, dim = embedder.identity.input_size, embedder.identity.embedding_dim
    rng = np.random.default_rng(0)
    embeddings = random_tiles(tiles, dim)
    find, image = tile_cosines(embeddings), rng.integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    queries = {count: rng.standard_normal((count, dim), np.float32) for count in (1, 36, 54)}
    calls: dict[str, Callable[[], object]] = {
        PRODUCT: matrix_product(),
        READ: reading(embeddings),
        "one embedding": partial(embedder.embed, image),
        **{f"{count} queries": partial(find, query) for count, query in queries.items()},
    }
    times = measure(calls, repeats, "searching")
    report = Report(f"search over {tiles} tiles of {dim} float16, {embeddings.nbytes / 1e6:.0f} MB")
    report.add("one embedding", times["one embedding"])
    report.add(READ, times[READ])
    read_s = times[READ].median_processor_s
    for count in queries:
        products_s = product_floor(2 * tiles * dim, count, times) or 0.0
        report.add(f"{count} queries", times[f"{count} queries"], count, max(read_s, products_s))
    report.show(*rate_notes(times[PRODUCT], times[READ], embeddings.nbytes), FLOOR_NOTE)


def random_tiles(count: int, dim: int) -> npt.NDArray[np.float16]:
    """Unit vectors [count, dim] that know nothing, made in parts."""
    rng, rows = np.random.default_rng(1), np.empty((count, dim), np.float16)
    for start in range(0, count, 1 << 14):
        part = rng.standard_normal((min(1 << 14, count - start), dim), np.float32)
        rows[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def pipeline(
    model: Model = "mift_nano",
    tiles: Annotated[int, typer.Option(min=100, help="Tiles in the map.")] = 100_000,
    repeats: Repeats = 10,
    threads: Threads = 0,
) -> None:
    """A frame from JPEG to decision, by stage: one heading, 36 headings, 18 headings with three looks as flown."""
    from mift_ros.commands.bench_scene import Scene, stages
    from mift_ros.inference.load import load_embedder, model_path
    from mift_ros.inference.operations import operations

    embedder, count = load_embedder(model, threads), operations(model_path(model))
    scene = Scene.over(tiles, embedder)
    cases = {"one heading": scene.known()}
    cases |= {f"{yaw} headings, {looks} looks": scene.unknown(yaw, looks) for yaw, looks in ((36, 1), (18, 3))}
    calls: dict[str, Callable[[], object]] = {PRODUCT: matrix_product(), READ: reading(scene.cache.embeddings)}
    made = {name: stages(case) for name, case in cases.items()}
    for name, of_case in made.items():
        calls |= {f"{name}: {stage}": call for stage, call in of_case.calls.items()}
    times = measure(calls, repeats, "frames")
    report = Report(f"{scene.shape}, JPEG to decision over {tiles} tiles, {embedder.identity.name}")
    read_s, dim = times[READ].median_processor_s, embedder.identity.embedding_dim
    for name, of_case in made.items():
        floors = {"embed": product_floor(count, of_case.patches, times)}
        floors["search"] = max(read_s, product_floor(2 * tiles * dim, of_case.patches, times) or 0.0)
        for stage in of_case.calls:
            report.add(f"{name}: {stage}", times[f"{name}: {stage}"], 1, floors.get(stage))
    report.show(
        *rate_notes(times[PRODUCT], times[READ], scene.cache.embeddings.nbytes),
        "'all' is decoding and locating, from lost; what the rows above it leave is verifying, gate and belief",
        *(f"{name}: {of_case.outcome}" for name, of_case in made.items()),
    )
