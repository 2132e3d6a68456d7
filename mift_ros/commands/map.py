"""`mift map`: build, show and verify map caches."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mift_ros.commands.output import require_cache_or_new, require_new
from mift_ros.commands.plain import plain_console
from mift_ros.errors import ConfigError

if TYPE_CHECKING:
    from mift_ros.cache.manifest import TerrainFacts
    from mift_ros.maps.terrain import TerrainModel

app = typer.Typer(help="Prepare the map of a flight.", no_args_is_help=True)

MapArgument = Annotated[
    Path, typer.Argument(help="GeoTIFF, COG, VRT, MBTiles, tile folder, CSV or JSON beside images.")
]
CacheArgument = Annotated[Path, typer.Argument(help="A cache made by 'mift map build'.")]
ModelOption = Annotated[str, typer.Option(help="Name of a packaged model, or an ONNX file.")]


@app.command()
def build(
    source: MapArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The cache to write.")],
    model: ModelOption = "mift_nano",
    tile_size_m: Annotated[float, typer.Option(help="Side of a tile on the ground, m.")] = 72.0,
    stride_m: Annotated[float | None, typer.Option(help="Distance between tiles, m  [default: a quarter tile]")] = None,
    raster_gsd_m: Annotated[
        float | None,
        typer.Option(help="Resolution for refinement, m/px  [default: 1, or the map's, or a 150th of a tile]"),
    ] = None,
    imagery_date: Annotated[str, typer.Option(help="When the imagery was taken, for the manifest.")] = "",
    attribution: Annotated[str, typer.Option(help="Whose imagery it is, for the manifest.")] = "",
    threads: Annotated[int, typer.Option(min=0, help="Threads of the model on a CPU; 0: all.")] = 0,
    terrain: Annotated[Path | None, typer.Option(help="GeoTIFF of the ground's heights, m, to fly with.")] = None,
    terrain_datum: Annotated[
        str, typer.Option(help="What its heights are above, if it does not say: ellipsoid, egm96, egm2008 or amsl.")
    ] = "",
    geoid_undulation_m: Annotated[
        float | None, typer.Option(help="Height of the geoid above the ellipsoid at the site, to be added to them, m.")
    ] = None,
) -> None:
    """Embed a map once, before flight. Interrupt it and run it again to continue.

    A cache that is there already is replaced, any other file is not.
    """
    from mift_ros.cache.build import BuildOptions, build_cache
    from mift_ros.cache.busy import WatchedEmbedder
    from mift_ros.cache.reader import MapCache
    from mift_ros.inference.load import load_embedder
    from mift_ros.maps.open import open_map

    require_cache_or_new(out)
    command = shlex.join(["mift", *sys.argv[1:]])
    options = BuildOptions(tile_size_m, stride_m, raster_gsd_m, imagery_date, attribution, command)
    opened, embedder = open_map(source), WatchedEmbedder(load_embedder(model, threads))
    heights = _terrain(terrain, terrain_datum, geoid_undulation_m)
    bars = _progress()
    tasks = {name: bars.add_task(name, total=None) for name in ("raster", "tiles")}

    def show(stage: str, done: int, total: int) -> None:
        bars.start()
        bars.update(tasks[stage], completed=done, total=total)

    try:
        build_cache(opened, embedder, out, options, show, heights)
    finally:
        if bars.live.is_started:
            bars.stop()
    cache = MapCache.open(out)
    busy = (
        "" if math.isnan(embedder.share) else f"; the model was busy {embedder.share:.0%} of {embedder.elapsed_s:.0f} s"
    )
    typer.echo(f"{out}: {len(cache)} tiles, {cache.nbytes / 1e6:.1f} MB{busy}")


@app.command()
def info(cache: CacheArgument) -> None:
    """Show what a cache was made of."""
    from mift_ros.cache.manifest import SHA_SHOWN
    from mift_ros.cache.reader import MapCache

    opened = MapCache.open(cache)
    m = opened.manifest
    west, south, east, north = m.bounds_m
    rows = {
        "map": f"{m.source_name} ({m.source_sha256[:SHA_SHOWN]})",
        "imagery": f"{m.imagery_date or 'date unknown'}, {m.attribution or 'no attribution'}",
        "extent": f"{east - west:.0f} x {north - south:.0f} m around {m.origin_lat_deg:.6f}, {m.origin_lon_deg:.6f}",
        "model": f"{m.model_name} {m.model_variant} ({m.model_sha256[:SHA_SHOWN]}), {m.embedding_dim} numbers per tile",
        "tiles": f"{len(opened)} of {m.grid_rows} x {m.grid_cols}, {m.tile_size_m:g} m every {m.stride_m:g} m",
        "resolution": f"{m.tile_gsd_m:.4g} m/px for the model, {m.raster_gsd_m:.4g} m/px for refinement",
        "terrain": _heights(m.terrain),
        "size": f"{opened.nbytes / 1e6:.1f} MB",
        "built": f"{m.created_utc} by mift_ros {m.software_version}",
        "command": m.build_command or "unknown",
    }
    table = Table(title=str(cache), show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    plain_console().print(table)


@app.command()
def verify(
    cache: CacheArgument,
    source: Annotated[Path | None, typer.Option("--map", help="The map, to embed a sample of its tiles again.")] = None,
    model: ModelOption = "mift_nano",
) -> None:
    """Check that a cache is undamaged and, with --map, that map and model still make the same embeddings."""
    from mift_ros.cache.verify import verify_cache
    from mift_ros.inference.load import load_embedder
    from mift_ros.maps.open import open_map

    found = verify_cache(cache) if source is None else verify_cache(cache, open_map(source), load_embedder(model))
    line = f"{cache}: good; {found.tiles} tiles, norms within {found.largest_norm_error:.1e} of 1"
    if found.tiles_embedded_again:
        line += f"; of {found.tiles_embedded_again} tiles embedded again {found.tiles_changed} came out differently"
    typer.echo(line)


@app.command()
def haystack(
    needle: Annotated[Path, typer.Argument(metavar="NEEDLE_MAP", help="The map to hide, as for 'mift map build'.")],
    imagery: Annotated[
        list[str], typer.Argument(help="Maps, folders of GeoTIFFs, or PATH=GSD_M for images without a place.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The GeoTIFF to write, a new file.")],
    size_m: Annotated[float, typer.Option(help="Side of the large map, m.")] = 10_000.0,
    gsd_m: Annotated[float, typer.Option(help="Its ground sample distance, m per pixel.")] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same map.")] = 0,
) -> None:
    """Set a map into a large one of other imagery, to measure a search over a large area on a small real map."""
    from mift_ros.maps.ground import open_grounds
    from mift_ros.maps.haystack import write_haystack
    from mift_ros.maps.open import open_map

    require_new(out)
    grounds = open_grounds(imagery)
    with _progress() as bars:
        task = bars.add_task("cells", total=None)
        made = write_haystack(
            open_map(needle), grounds, out, size_m, gsd_m, seed,
            lambda done, total: bars.update(task, completed=done, total=total),
        )  # fmt: skip
    table = Table("imagery", "has km2", "cut km2")
    for name, placed_km2 in sorted(made.placed_km2.items()):
        has_km2 = sum(ground.width_m * ground.height_m for ground in grounds if ground.group == name) / 1e6
        table.add_row(name, f"{has_km2:.2f}", f"{placed_km2:.2f}")
    plain_console().print(table)
    east, north = made.needle_at_m
    at = f"the needle lies {east:.0f} m east and {north:.0f} m north of its centre"
    typer.echo(f"{out}: {made.side_px} x {made.side_px} pixels, {out.stat().st_size / 1e6:.0f} MB; {at}")


def _terrain(path: Path | None, datum: str, undulation_m: float | None) -> TerrainModel | None:
    from mift_ros.maps.terrain import open_terrain

    if path is not None:
        return open_terrain(path, datum, math.nan if undulation_m is None else undulation_m)
    if datum or undulation_m is not None:
        raise ConfigError("a terrain datum or a geoid undulation belongs to a terrain model: give --terrain too")
    return None


def _heights(facts: TerrainFacts | None) -> str:
    if facts is None:
        return "none: the ground is taken as flat"
    return f"{facts.name} ({facts.sha256[:12]}), every {facts.gsd_m:.4g} m, above {facts.datum}"


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=plain_console(stderr=True))
