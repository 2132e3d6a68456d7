"""Weights on disk and the identity they carry."""

import hashlib

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from mift_ros.errors import TrainingError  # noqa: E402
from mift_ros.inference.embedder import METADATA_KEY  # noqa: E402
from training.checkpoint import CONFIG_KEY, identify, load_weights, read_identity, save_weights, weights_sha256  # noqa: E402
from training.model.build import build_network  # noqa: E402
from training.model.mift import build  # noqa: E402
from training.recipes.schema import NetworkSpec  # noqa: E402


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build("mift_nano").eval()


@pytest.fixture
def checkpoint(network, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, network, "a recipe")
    return path


def test_weights_and_identity_survive_the_disk(network, checkpoint):
    loaded = load_weights(checkpoint)
    assert read_identity(checkpoint) == identify(network, "a recipe") == identify(loaded, "a recipe")
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        assert torch.equal(loaded(images), network(images))
    assert [path.name for path in checkpoint.parent.iterdir()] == ["weights.safetensors"]


def test_identity_says_how_images_are_prepared(network):
    identity = identify(network, "a recipe")
    assert (identity.variant, identity.input_size, identity.embedding_dim, identity.regions) == (
        "mift_nano",
        128,
        256,
        3,
    )
    assert (identity.colour_order, identity.interpolation) == ("rgb", "area")
    assert identity.mean == (0.485, 0.456, 0.406)
    assert identity.std == (0.229, 0.224, 0.225)


def test_the_hash_is_over_sorted_names_and_bytes():
    state = {"b": torch.tensor([1.0]), "a": torch.tensor([2], dtype=torch.int64)}
    by_hand = hashlib.sha256(b"a" + (2).to_bytes(8, "little") + b"b" + bytes.fromhex("0000803f"))
    assert weights_sha256(state) == by_hand.hexdigest()


def test_weights_changed_after_saving_are_refused(checkpoint):
    metadata = {METADATA_KEY: read_identity(checkpoint).to_json()}
    state = load_file(checkpoint)
    state["global_head.0.bias"] += 1
    save_file(state, checkpoint, metadata=metadata)
    with pytest.raises(TrainingError, match=r"weights\.safetensors: the weights do not match their SHA-256"):
        load_weights(checkpoint)


def test_weights_of_another_shape_are_refused(network, checkpoint):
    state = {"global_head.0.bias": torch.zeros(3)}
    with safe_open(checkpoint, framework="pt") as file:
        metadata = file.metadata()
    metadata[METADATA_KEY] = metadata[METADATA_KEY].replace(weights_sha256(network.state_dict()), weights_sha256(state))
    save_file(state, checkpoint, metadata=metadata)
    with pytest.raises(TrainingError, match="does not fit mift_nano of this version"):
        load_weights(checkpoint)


def test_a_truncated_checkpoint_is_refused(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
        load_weights(checkpoint)


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.safetensors: cannot be read"):
        load_weights(tmp_path / "none.safetensors")


def test_a_file_without_identity_is_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(TrainingError, match="has no MIFT identity"):
        load_weights(tmp_path / "x.safetensors")


def test_a_file_without_the_sizes_of_its_network_is_refused(network, checkpoint):
    save_file(network.state_dict(), checkpoint, metadata={METADATA_KEY: identify(network, "a recipe").to_json()})
    with pytest.raises(TrainingError, match="has no sizes of its network"):
        load_weights(checkpoint)


def test_sizes_that_are_none_are_refused(network, checkpoint):
    metadata = {METADATA_KEY: identify(network, "a recipe").to_json(), CONFIG_KEY: '{"variant": 3}'}
    save_file(network.state_dict(), checkpoint, metadata=metadata)
    with pytest.raises(TrainingError, match=r"weights\.safetensors: missing key|'variant' is str, not 3"):
        load_weights(checkpoint)


def test_an_ablation_builds_the_network_its_weights_are_of(tmp_path):
    changes = NetworkSpec(attention="pvt", kernels=((4,), (2,), (2,), (2,)), regions=2)
    network = build_network("mift_nano", changes=changes).eval()
    save_weights(tmp_path / "weights.safetensors", network, "a recipe")
    loaded = load_weights(tmp_path / "weights.safetensors")
    assert loaded.config == network.config and loaded.config.regions == 2
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        assert torch.equal(loaded(images), network(images))
