"""CUDA without a GPU: every status is one line, and what was taken is given back."""

import sys
from types import ModuleType

import pytest

from mift_ros.errors import ModelError
from mift_ros.inference.cuda import Device, PinnedPair, Stream, checked, current_device, load_cuda


def test_without_cuda_python_the_package_to_install_is_told(monkeypatch):
    for name in ("cuda", "cuda.bindings", "cuda.bindings.runtime", "cuda.cudart"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModelError, match="cuda-python is not installed; install the one of your CUDA"):
        load_cuda()


def test_the_older_name_of_the_module_is_found_too(monkeypatch):
    older = ModuleType("cuda.cudart")
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    monkeypatch.setitem(sys.modules, "cuda.cudart", older)
    assert load_cuda() is older


def test_a_device_is_its_name_its_multiprocessors_and_its_capability(cuda):
    assert current_device(load_cuda()) == Device("Orin", 16, "8.7")


def test_no_gpu_is_said_with_what_the_driver_says(cuda):
    cuda.fails["cudaGetDeviceCount"] = 100
    with pytest.raises(ModelError, match=r"no NVIDIA GPU can be used: CUDA: a broken GPU \(error 100\)"):
        current_device(cuda)


def test_no_device_counted_is_said(cuda):
    cuda.count = 0
    with pytest.raises(ModelError, match="no NVIDIA GPU can be used: the driver counts none"):
        current_device(cuda)


def test_no_driver_at_all_is_said(cuda):
    def missing():
        raise RuntimeError("Failed to dlopen libcuda.so.1")

    cuda.cudaGetDeviceCount = missing
    with pytest.raises(ModelError, match=r"no NVIDIA GPU can be used: no driver \(Failed to dlopen libcuda\.so\.1\)"):
        current_device(cuda)


def test_out_of_memory_says_what_to_do(cuda):
    with pytest.raises(ModelError, match=r"out of GPU memory: close other programs .*mift export tensorrt --batch"):
        checked(cuda, (2, None))


def test_a_buffer_that_finds_no_device_memory_gives_its_host_memory_back(cuda):
    cuda.fails["cudaMalloc"] = 2
    with pytest.raises(ModelError, match="out of GPU memory"):
        PinnedPair(cuda, (2, 3))
    assert cuda.freed == ["cudaFreeHost"]


def test_the_host_side_of_a_buffer_is_the_page_locked_memory_itself(cuda):
    pair = PinnedPair(cuda, (2, 3))
    pair.host[:] = 1.0
    assert pair.nbytes == 24
    assert bytes(cuda.kept[0]) == pair.host.tobytes()


def test_a_copy_that_fails_is_one_error(cuda):
    stream, pair = Stream(cuda), PinnedPair(cuda, (2, 3))
    cuda.fails["cudaMemcpyAsync"] = 700
    for copy in (stream.upload, stream.download):
        with pytest.raises(ModelError, match=r"CUDA: a broken GPU \(error 700\)"):
            copy(pair, 24)


@pytest.fixture
def stream(cuda):
    """A stream that can record."""
    cuda.cudaStreamCaptureMode = type("Mode", (), {"cudaStreamCaptureModeThreadLocal": 1})
    return Stream(cuda)


@pytest.mark.parametrize(("ended", "destroyed"), [((0, 9), [9]), ((901, None), [])], ids=["sound", "spoilt"])
def test_a_recording_that_fails_ends_with_its_reason_and_leaves_no_graph(cuda, stream, ended, destroyed):
    ends, gone = [], []
    cuda.cudaStreamEndCapture = lambda handle: ends.append(handle) or ended
    cuda.cudaGraphDestroy = lambda graph: gone.append(graph) or (0,)

    def work():
        raise ModelError("TensorRT failed")

    with pytest.raises(ModelError, match="TensorRT failed"):
        stream.capture(work)
    assert (ends, gone) == ([5], destroyed)


def test_a_graph_that_cannot_be_made_ready_is_given_back(cuda, stream):
    cuda.cudaStreamEndCapture = lambda handle: (0, 9)
    cuda.fails["cudaGraphInstantiate"] = 2
    with pytest.raises(ModelError, match="out of GPU memory"):
        stream.capture(lambda: None)
    assert cuda.freed == ["cudaGraphDestroy"]
