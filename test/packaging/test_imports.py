"""Who may import what: flying needs no torch, the library no ROS, `import mift_ros` nothing but numpy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FLOWN = sorted((REPOSITORY / "mift_ros").rglob("*.py"))
HEAVY = {"torch", "cv2", "onnxruntime", "rasterio", "pyproj", "matplotlib", "rclpy", "rosbags", "scipy", "onnx"}

ORDER = (
    "geometry",
    "maps inference",
    "cache",
    "localization",
    "conversion",
    "evaluation simulation",
    "nodes",
    "commands",
)
LEVEL = {folder: level for level, folders in enumerate(ORDER) for folder in folders.split()} | {"demo": 7, "stress": 7}


def imported(path):
    """Modules that a file imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)


@pytest.mark.parametrize("path", FLOWN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_what_flies_imports_no_torch_no_training_and_ros_only_in_nodes(path):
    roots = {module.partition(".")[0] for module in imported(path)}
    assert not roots & {"torch", "training", "export"}
    if "nodes" not in path.parts:
        assert not [root for root in roots if root == "rclpy" or root.endswith("_msgs")]


@pytest.mark.parametrize("path", FLOWN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_go_one_way(path):
    own = path.relative_to(REPOSITORY / "mift_ros").parts[0]
    folders = {m.split(".")[1] for m in imported(path) if m.startswith("mift_ros.")}
    assert not [folder for folder in folders if folder in LEVEL and own in LEVEL and LEVEL[folder] > LEVEL[own]]


def test_the_package_needs_numpy_alone():
    """Every other package that is not of the standard library is hidden."""
    hidden = """
import sys
class OnlyNumpy:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in sys.stdlib_module_names and root not in ("numpy", "mift_ros"):
            raise ModuleNotFoundError(f"hidden: {name}", name=name)
sys.meta_path.insert(0, OnlyNumpy())
import mift_ros, mift_ros.errors
print(mift_ros.__version__)
"""
    done = run(hidden)
    assert done.returncode == 0, done.stderr


def test_help_imports_nothing_heavy():
    done = run(f"import sys, mift_ros.cli; print(sorted({HEAVY!r} & set(sys.modules)))")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("words", [["--help"], ["map", "--help"], ["demo", "--help"], ["replay", "--help"]])
def test_every_command_explains_itself(words):
    done = subprocess.run([sys.executable, "-m", "mift_ros.cli", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "Usage" in done.stdout) == (0, True), done.stderr
