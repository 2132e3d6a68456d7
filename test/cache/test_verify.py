"""Verification finds damage, another map and another model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio

from mift_ros.cache.reader import MapCache
from mift_ros.cache.verify import verify_cache
from mift_ros.errors import CacheError
from mift_ros.inference.onnx import OnnxEmbedder
from mift_ros.maps.open import open_map


def test_a_good_cache(cache_path: Path, source: Any, embedder: Any) -> None:
    alone, full = verify_cache(cache_path), verify_cache(cache_path, source, embedder)
    assert alone.largest_norm_error < 1e-3 and not alone.tiles_embedded_again and not alone.source_checked
    assert full.source_checked and full.tiles_embedded_again == 64 and full.tiles_changed == 0


def test_one_flipped_bit_is_found(cache_path: Path, tmp_path: Path) -> None:
    content = bytearray(cache_path.read_bytes())
    content[-100] ^= 1
    path = tmp_path / "flipped.cache"
    path.write_bytes(content)
    with pytest.raises(CacheError, match=r"flipped\.cache: damaged, data SHA-256"):
        verify_cache(path)


def test_embeddings_that_are_not_numbers_are_found(cache_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = MapCache.open(cache_path)
    opened.embeddings = opened.embeddings.copy()
    opened.embeddings[3, 0] = np.nan
    monkeypatch.setattr(MapCache, "open", lambda *_: opened)
    with pytest.raises(CacheError, match="embeddings that are not numbers"):
        verify_cache(cache_path)


def test_another_map_names_both(cache_path: Path, map_path: Path, embedder: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.tif"
    shutil.copy(map_path, other)
    with rasterio.open(other, "r+") as dataset:
        pixels = dataset.read()
        dataset.write(cv2.flip(pixels, 1))
    with pytest.raises(CacheError, match=r"built from town\.tif .* but other\.tif is"):
        verify_cache(cache_path, open_map(other), embedder)


def test_weights_that_embed_differently_are_found(cache_path: Path, source: Any, tiny: Any, tmp_path: Path) -> None:
    """The same identity over another preprocessing: what a wrong export would do."""
    path = tiny.write(tmp_path / "other.onnx", tiny.identity(colour_order="bgr"))
    with pytest.raises(CacheError, match="tiles embed differently now"):
        verify_cache(cache_path, source, OnnxEmbedder(path))


def test_another_model_names_both(cache_path: Path, source: Any, tiny: Any, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "other.onnx", tiny.identity(weights_sha256="cd" * 32))
    with pytest.raises(CacheError, match="but the loaded model is tiny test"):
        verify_cache(cache_path, source, OnnxEmbedder(path))
