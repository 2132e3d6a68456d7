"""The packaged model, one with the paper's regions, images of made-up ground, and a map of it."""

from pathlib import Path

import numpy as np
import pytest

NANO = Path(__file__).resolve().parents[2] / "mift_ros" / "weights" / "mift_nano.onnx"


@pytest.fixture(scope="session")
def nano_path():
    if not NANO.is_file():
        pytest.skip("no packaged model in this tree")
    return NANO


@pytest.fixture(scope="session")
def with_regions():
    """A small untrained network that ranks regions by heat, which the packaged one does not: ONNX and identity."""
    torch = pytest.importorskip("torch", reason="export needs PyTorch")
    pytest.importorskip("onnxscript", reason="export needs onnxscript")
    from export.onnx import to_onnx
    from training.checkpoint import identify
    from training.model.config import MiftConfig
    from training.model.mift import Mift

    torch.manual_seed(0)
    network = Mift(MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 2, 2), 4, (4, 4, 8, 8), 8)).eval()
    identity = identify(network, "untrained")
    return to_onnx(network, identity), identity


def ground(count, size, seed):
    """Fields and patches of three sizes in random colours, [count, size, size, 3] uint8."""
    noise = pytest.importorskip("mift_ros.simulation.noise").smooth_noise
    rng = np.random.default_rng(seed)
    images = np.empty((count, size, size, 3), np.uint8)
    for image in images:
        relief = sum(strength * noise(rng, (size, size), width) for width, strength in ((2, 12), (6, 25), (20, 40)))
        image[:] = np.clip(120 + relief[..., None] + rng.normal(0, 15, 3), 0, 255)
    return images


@pytest.fixture(scope="session")
def make_ground():
    return ground


@pytest.fixture(scope="session")
def map_path(tmp_path_factory):
    """A GeoTIFF of 400 m squared at 0.5 m."""
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path_factory.mktemp("map") / "ground.tif"
    (pixels,) = ground(1, 800, seed=3)
    transform = rasterio.transform.from_origin(500_000, 5_400_000, 0.5, 0.5)
    profile = {"driver": "GTiff", "width": 800, "height": 800, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32632", transform=transform, **profile) as dataset:
        dataset.write(pixels.transpose(2, 0, 1))
    return path
