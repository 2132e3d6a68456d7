"""The report of a replay: one HTML file that needs nothing else, and the frames as CSV."""

from __future__ import annotations

import base64
import csv
import html
import io
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from string import Template

from mift_ros import __version__
from mift_ros.cache.reader import MapCache
from mift_ros.evaluation import plots
from mift_ros.evaluation.metrics import FAR_M, GAUSS_SHARES, Summary, errors_of, summarise
from mift_ros.evaluation.operating import operating_png
from mift_ros.evaluation.records import FrameRecord
from mift_ros.files import write_file

PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "pyproj", "rasterio", "rosbags")
CSV_COLUMNS = (
    "stamp_ns", "truth_lat_deg", "truth_lon_deg", "truth_heading_deg", "lat_deg", "lon_deg", "heading_deg", "error_m",
    "error_sigmas", "heading_error_deg", "similarity", "lead_sigma", "latency_s", "reason", "detail",
)  # fmt: skip


@dataclass(frozen=True)
class Context:
    """What a report says besides the records: where they come from and how they were made."""

    bag: str
    command: str
    settings: Mapping[str, object] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write_report(folder: Path, records: Sequence[FrameRecord], cache: MapCache, context: Context) -> Path:
    """Write report.html and frames.csv into a folder; returns the path of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "frames.csv", _frames_csv(records))
    write_file(folder / "report.html", render_html(records, cache, context))
    return folder / "report.html"


def render_html(records: Sequence[FrameRecord], cache: MapCache, context: Context) -> str:
    """The report as one self-contained page."""
    errors = errors_of(records)
    summary = summarise(records)
    template = Template((files("mift_ros") / "evaluation" / "report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(Path(context.bag).name),
        tiles="".join(_tile(*tile) for tile in headline(summary)),
        figures=_table(figure_rows(summary)),
        reasons=_table([(name, str(count)) for name, count in summary.reasons.items()] or [("none", "0")]),
        trajectory=_image(plots.trajectory_png(records, errors, cache)),
        error=_image(plots.error_png(records, errors)),
        match=_image(plots.match_png(records, errors)),
        operating=_image(operating_png(records, errors)),
        manifest=_table(_manifest_rows(cache)),
        made_with=_table(_origin_rows(context)),
        command=html.escape(context.command),
    )


def headline(s: Summary) -> list[tuple[str, str]]:
    """The figures that decide, as name and value."""
    return [
        ("median error", metres(s.median_m)),
        ("90th percentile", metres(s.p90_m)),
        ("availability", percent(s.availability)),
        ("false fixes", percent(s.false_share)),
        ("latency, median", milliseconds(s.latency_p50_s)),
    ]


def figure_rows(s: Summary) -> list[tuple[str, str]]:
    """Every figure of a summary as name and value."""
    kind = "calibrated covariance" if s.calibrated else "approximate covariance, not calibrated"
    inside = " / ".join(percent(share) for share in s.within_sigma)
    wanted = " / ".join(f"{share:.0%}" for share in GAUSS_SHARES)
    return [
        ("frames", str(s.frames)),
        ("fixes", f"{s.fixes} ({percent(s.availability)})"),
        ("fixes with a truth", str(s.judged)),
        ("error, median / 90 % / greatest", f"{metres(s.median_m)} / {metres(s.p90_m)} / {metres(s.max_m)}"),
        ("false fixes (beyond 3 sigma and 30 m)", percent(s.false_share)),
        (f"fixes further off than {FAR_M:g} m", percent(s.far_share)),
        ("heading error, median", "unknown" if math.isnan(s.heading_median_deg) else f"{s.heading_median_deg:.1f} deg"),
        ("latency, median / 95 %", f"{milliseconds(s.latency_p50_s)} / {milliseconds(s.latency_p95_s)}"),
        (f"inside 1 / 2 / 3 sigma (right: {wanted})", f"{inside}; {kind}"),
        ("NEES (right: 2)", "unknown" if math.isnan(s.nees) else f"{s.nees:.2f}; {kind}"),
    ]


def metres(value: float) -> str:
    """Metres for people."""
    return "unknown" if math.isnan(value) else f"{value:.1f} m"


def percent(share: float) -> str:
    """A share for people."""
    return "unknown" if math.isnan(share) else f"{100 * share:.1f} %"


def milliseconds(seconds: float) -> str:
    """Milliseconds for people."""
    return "unknown" if math.isnan(seconds) else f"{1e3 * seconds:.0f} ms"


def _manifest_rows(cache: MapCache) -> list[tuple[str, str]]:
    m = cache.manifest
    return [
        ("map", f"{m.source_name}, SHA-256 {m.source_sha256[:12]}"),
        ("imagery", f"{m.imagery_date or 'date unknown'}, {m.attribution or 'no attribution given'}"),
        ("model", f"{m.model_name} {m.model_variant}, SHA-256 {m.model_sha256[:12]}"),
        ("tiles", f"{len(cache)} of {m.tile_size_m:g} m every {m.stride_m:g} m, {m.input_size} pixels"),
        ("centre", f"{m.origin_lat_deg:.6f}, {m.origin_lon_deg:.6f}"),
        ("built", f"{m.created_utc}, mift_ros {m.software_version}: {m.build_command}"),
    ]


def _origin_rows(context: Context) -> list[tuple[str, str]]:
    rows = [("bag", context.bag)]
    rows += [(name, str(value)) for name, value in context.settings.items()]
    rows += [("note", note) for note in context.notes]
    versions = [f"mift_ros {__version__}", f"Python {platform.python_version()}", platform.machine()]
    return [*rows, ("versions", ", ".join([*versions, *_versions()]))]


def _versions() -> list[str]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _tile(name: str, value: str) -> str:
    return f"<div class='tile'><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>"


def _image(png: bytes) -> str:
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(png).decode()}'>"


def _frames_csv(records: Sequence[FrameRecord]) -> str:
    """One line per frame; empty cells are unknown."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for r, error in zip(records, errors_of(records)):
        truth = (r.truth.lat_deg, r.truth.lon_deg, r.truth.heading_deg) if r.truth else (None,) * 3
        fix = (r.fix.lat_deg, r.fix.lon_deg, r.fix.heading_deg) if r.fix else (None,) * 3
        judged = (error.horizontal_m, error.sigmas, error.heading_deg) if error else (None,) * 3
        match = (r.fix.similarity, r.fix.lead) if r.fix else (None, None)
        values = (r.stamp_ns, *truth, *fix, *judged, *match, r.latency_s)
        writer.writerow([*("" if v is None or v != v else v for v in values), r.reason, r.detail])
    return out.getvalue()
