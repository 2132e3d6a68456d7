"""Official CrossFormer checkpoints: keys, position bias, and what is said of the rest."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from mift_ros.errors import TrainingError  # noqa: E402
from training.model.config import AttentionKind, MiftConfig  # noqa: E402
from training.model.crossformer import bias_table, load_crossformer  # noqa: E402
from training.model.mift import Mift  # noqa: E402

TINY = MiftConfig("tiny", 64, (16, 32, 64, 128), (2, 2, 2, 2), (1, 2, 4, 8), 4, (4, 4, 8, 8), 8)


def linear(name: str, *shape: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.randn(shape), f"{name}.bias": torch.randn(shape[0])}


def official(dims=TINY.dims, heads=TINY.heads) -> dict[str, torch.Tensor]:
    """A checkpoint of two blocks a stage as the official code names and shapes it, its numbers random."""
    state = linear("patch_embed.norm", dims[0]) | linear("norm", dims[3]) | linear("head", 10, dims[3])
    for k, width in enumerate((dims[0] // 2, dims[0] // 4, dims[0] // 8, dims[0] // 8)):
        state |= linear(f"patch_embed.projs.{k}", width, 3, 4 * 2**k, 4 * 2**k)
    for stage in range(3):
        merging = f"layers.{stage}.downsample"
        state |= linear(f"{merging}.norm", dims[stage])
        for k in range(2):
            state |= linear(f"{merging}.reductions.{k}", dims[stage], dims[stage], 2 + 2 * k, 2 + 2 * k)
    for stage, (dim, head) in enumerate(zip(dims, heads)):
        for index in range(2):
            state |= block(f"layers.{stage}.blocks.{index}", dim, head)
    return state


def block(name: str, dim: int, heads: int) -> dict[str, torch.Tensor]:
    state = linear(f"{name}.norm1", dim) | linear(f"{name}.norm2", dim)
    state |= linear(f"{name}.attn.qkv", 3 * dim, dim) | linear(f"{name}.attn.proj", dim, dim)
    state |= linear(f"{name}.mlp.fc1", 4 * dim, dim) | linear(f"{name}.mlp.fc2", dim, 4 * dim)
    hidden = dim // 16
    state |= linear(f"{name}.attn.pos.pos_proj", hidden, 2)
    for k, width in ((1, hidden), (2, hidden), (3, heads)):
        state |= linear(f"{name}.attn.pos.pos{k}.0", hidden) | linear(f"{name}.attn.pos.pos{k}.2", width, hidden)
    return state


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "crossformer.pth"
    torch.save({"model": official(), "epoch": 299}, path)
    return path


def test_every_tensor_of_the_stages_is_filled_and_what_is_not_is_listed(checkpoint):
    network = Mift(TINY)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    lines = load_crossformer(checkpoint, network)
    after = network.state_dict()
    kept = [key for key in before if torch.equal(before[key], after[key])]
    assert [key for key in kept if key.startswith("stages.")] == []
    assert sorted(lines) == sorted(
        [f"{key}: only in the file" for key in ("norm.weight", "norm.bias", "head.weight", "head.bias")]
        + [f"{key}: only here" for key in kept]
    )


def test_modules_of_one_block_and_of_the_embeddings_go_where_they_belong(checkpoint):
    theirs = torch.load(checkpoint, weights_only=True)["model"]
    network = Mift(TINY)
    load_crossformer(checkpoint, network)
    ours = network.state_dict()
    pairs = {
        "layers.1.blocks.1.norm1": "stages.1.2.norm1",
        "layers.1.blocks.1.attn.qkv": "stages.1.2.attention.attention.qkv",
        "layers.1.blocks.1.attn.proj": "stages.1.2.attention.attention.projection",
        "layers.1.blocks.1.norm2": "stages.1.2.norm2",
        "layers.1.blocks.1.mlp.fc1": "stages.1.2.mlp.0",
        "layers.1.blocks.1.mlp.fc2": "stages.1.2.mlp.2",
        "patch_embed.projs.3": "stages.0.0.projections.3",
        "patch_embed.norm": "stages.0.0.norm",
        "layers.1.downsample.reductions.1": "stages.2.0.projections.1",
        "layers.1.downsample.norm": "stages.2.0.norm",
    }
    for source, target in pairs.items():
        assert torch.equal(ours[f"{target}.weight"], theirs[f"{source}.weight"])
        assert torch.equal(ours[f"{target}.bias"], theirs[f"{source}.bias"])


def test_the_position_bias_of_two_tokens_is_that_of_their_offset():
    """The dynamic position bias by hand, for tokens (0, 2) and (1, 0) of a group of 4 x 4: one row up, two right."""
    torch.manual_seed(0)
    prefix = "layers.2.blocks.0.attn.pos."
    parts = {key.removeprefix(prefix): value for key, value in official().items() if key.startswith(prefix)}
    value = parts["pos_proj.weight"] @ torch.tensor([-1.0, 2.0]) + parts["pos_proj.bias"]
    for k in (1, 2, 3):
        value = (value - value.mean()) / (value.var(unbiased=False) + 1e-5).sqrt()
        value = (value * parts[f"pos{k}.0.weight"] + parts[f"pos{k}.0.bias"]).clamp(min=0)
        value = parts[f"pos{k}.2.weight"] @ value + parts[f"pos{k}.2.bias"]
    network = Mift(TINY)
    bias = network.stages[2][1].attention.bias
    bias.table.data = bias_table(parts, size=4)
    torch.testing.assert_close(bias()[0, :, 2, 4], value)


def test_a_bare_state_dict_is_read_too(checkpoint, tmp_path):
    torch.save(torch.load(checkpoint, weights_only=True)["model"], tmp_path / "bare.pth")
    assert load_crossformer(tmp_path / "bare.pth", Mift(TINY)) == load_crossformer(checkpoint, Mift(TINY))


def test_an_ablation_takes_what_fits_and_tells_the_shapes_of_the_rest(checkpoint):
    kernels = ((4,), (2, 4), (2, 4), (2, 4))
    lines = load_crossformer(checkpoint, Mift(replace(TINY, kernels=kernels, attention=AttentionKind.MHA)))
    assert "stages.0.0.projections.0.weight: [8, 3, 4, 4] in the file, [16, 3, 4, 4] here" in lines
    assert "patch_embed.projs.1.weight: only in the file" in lines
    assert "layers.0.blocks.0.attn.pos.pos_proj.weight: only in the file" in lines
    assert "stages.0.1.table: only here" in lines
    assert not [line for line in lines if ".qkv." in line]


def test_a_network_of_other_widths_is_refused(checkpoint):
    with pytest.raises(
        TrainingError, match=r"crossformer\.pth: its attention layers have other shapes than those of tiny"
    ):
        load_crossformer(checkpoint, Mift(replace(TINY, dims=(8, 16, 32, 64))))


class Harmful:
    """What a pickle may hold: a call to be made when it is read."""

    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("content", [{"model": {"a": torch.zeros(1)}}, {"model": 3}, [torch.zeros(1)]])
def test_another_checkpoint_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(TrainingError, match=r"x\.pth: not of CrossFormer"):
        load_crossformer(tmp_path / "x.pth", Mift(TINY))


def test_a_file_of_more_than_tensors_is_refused_and_not_executed(tmp_path, capsys):
    torch.save({"model": Harmful()}, tmp_path / "x.pth")
    with pytest.raises(TrainingError, match=r"x\.pth: cannot be read as a file of tensors") as caught:
        load_crossformer(tmp_path / "x.pth", Mift(TINY))
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_missing_and_damaged_files_are_refused(checkpoint, tmp_path):
    (tmp_path / "cut.pth").write_bytes(checkpoint.read_bytes()[:5000])
    (tmp_path / "empty.pth").touch()
    for name in ("none.pth", "cut.pth", "empty.pth"):
        with pytest.raises(TrainingError, match=rf"{name}: cannot be read as a file of tensors"):
            load_crossformer(tmp_path / name, Mift(TINY))
