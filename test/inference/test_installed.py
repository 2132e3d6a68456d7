"""`mift weights`: what is installed is exactly what was meant, from a file or over a socket, or nothing is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mift_ros.commands.weights import app
from mift_ros.errors import ModelError
from mift_ros.inference import installed
from mift_ros.inference.engines import sha256_of
from mift_ros.inference.install import Wanted, install
from mift_ros.inference.installed import installed_models, read_record, verify_installed
from mift_ros.inference.load import load_embedder, model_path


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of weights, not there yet."""
    folder = tmp_path / "user" / "weights"
    monkeypatch.setenv(installed.FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def offered(tmp_path: Path, tiny_model_path: Path) -> Path:
    """A model with its card and sidecar, as somebody offers them."""
    folder = tmp_path / "offered"
    folder.mkdir()
    model = folder / "large.onnx"
    model.write_bytes(tiny_model_path.read_bytes())
    (folder / "large.md").write_text("# Card of large")
    (folder / "large.onnx.sha256").write_text(f"{sha256_of(model)}  large.onnx\n")
    return model


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def serve(handler: object) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def server(offered: Path) -> Iterator[str]:
    yield from serve(partial(Quiet, directory=str(offered.parent)))


def test_an_installed_model_is_found_by_its_name_with_card_and_record(offered: Path, place: Path):
    assert install(Wanted(str(offered))) == ("large", read_record("large"))
    assert sorted(path.name for path in place.iterdir()) == ["large.json", "large.md", "large.onnx"]
    assert (place / "large.md").read_text() == "# Card of large"
    assert model_path("large") == place / "large.onnx"
    assert load_embedder("large").identity.weights_sha256 == read_record("large").weights_sha256
    assert verify_installed("large").source == str(offered)


def test_a_file_url_is_a_file(offered: Path):
    assert install(Wanted(offered.as_uri()))[0] == "large"


def test_over_http_the_user_gives_the_sha256(offered: Path, server: str):
    seen: list[tuple[int, int]] = []
    wanted = Wanted(f"{server}/large.onnx?token=1", "other", sha256_of(offered).upper())
    assert install(wanted, lambda done, total: seen.append((done, total)))[0] == "other"
    assert seen[-1] == (offered.stat().st_size,) * 2
    assert (installed.folder() / "other.md").read_text() == "# Card of large"


def test_a_sidecar_over_http_proves_nothing(server: str):
    refused(Wanted(f"{server}/large.onnx"), "over http anybody may have altered it; give its --sha256")


def refused(wanted: Wanted, message: str) -> None:
    """One line, and nothing is left."""
    before = sorted(installed.folder().glob("*")) if installed.folder().is_dir() else []
    with pytest.raises(ModelError, match=message) as told:
        install(wanted)
    assert "\n" not in str(told.value)
    assert (sorted(installed.folder().glob("*")) if installed.folder().is_dir() else []) == before


def test_what_is_refused_leaves_nothing_behind(offered: Path, server: str, tmp_path: Path):
    digest, file = sha256_of(offered), str(offered)
    refused(Wanted(file, sha256="0" * 64), f"its SHA-256 is {digest}, not 0000")
    refused(Wanted(file, sha256="12"), "'12' is no SHA-256")
    refused(Wanted(file, max_bytes=100), "more than 0 MB; raise --max-mb")
    refused(Wanted(file, "mift_nano"), "a model of this name ships with the package")
    refused(Wanted(file, "../large"), "'../large' is no name of a model")
    refused(Wanted(str(tmp_path / "none.onnx"), sha256=digest), "none.onnx: no such file")
    refused(Wanted(f"{server}/none.onnx", sha256=digest), "none.onnx: the server says 404")
    refused(Wanted("ftp://a/large.onnx", sha256=digest), "not a file and not one of https, http, file")
    refused(Wanted("http://127.0.0.1:9/large.onnx", sha256=digest), "cannot be reached")


def test_a_file_without_sidecar_needs_its_sha256(offered: Path):
    Path(f"{offered}.sha256").unlink()
    refused(Wanted(str(offered)), "no .sha256 file beside it; give its --sha256")
    refused(Wanted("/no/such.onnx"), "/no/such.onnx: no such model file")


def test_a_file_that_is_no_model_is_refused_though_its_sha256_is_right(tmp_path: Path):
    file = tmp_path / "page.onnx"
    file.write_text("<html>sign in</html>")
    refused(Wanted(str(file), sha256=sha256_of(file)), "not a complete ONNX model")


class CutShort(Quiet):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 400)


class Endless(Quiet):
    """Tells no length."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(64):
            self.wfile.write(b"x" * 65536)


class Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "ftp://127.0.0.1/large.onnx")
        self.end_headers()

    log_message = Quiet.log_message


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (CutShort, "ends after 400 of 1000 bytes|the connection failed"),
        (Endless, "more than 1 MB"),
        (Elsewhere, "leads to ftp://127.0.0.1/large.onnx, which is not https"),
    ],
)
def test_what_a_server_does_wrong_is_told_in_one_line(handler: type, message: str):
    for url in serve(handler):
        refused(Wanted(f"{url}/large.onnx", sha256="0" * 64, max_bytes=1_000_000), message)


def test_a_name_is_taken_until_it_is_to_be_replaced(offered: Path):
    install(Wanted(str(offered)))
    refused(Wanted(str(offered)), "large: installed already, from .*; --replace")
    offered.with_suffix(".md").unlink()
    install(Wanted(str(offered), replace=True))
    assert not (installed.folder() / "large.md").exists()


class Sparing(Quiet):
    """Says 403 of what it does not have, as object stores do."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        super().send_error(403 if code == 404 else code, message, explain)


def test_a_card_that_cannot_be_had_keeps_nothing_from_being_installed(
    offered: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    install(Wanted(str(offered)))
    offered.with_suffix(".md").unlink()
    for url in serve(partial(Sparing, directory=str(offered.parent))):
        install(Wanted(f"{url}/large.onnx", sha256=sha256_of(offered), replace=True))
        assert "large.md: the server says 403" in caplog.text and "without its card" in caplog.text
        assert verify_installed("large").source == f"{url}/large.onnx"
    assert sorted(path.name for path in installed.folder().iterdir()) == ["large.json", "large.onnx"]


def test_two_installs_of_one_name_do_not_spoil_each_other(offered: Path, place: Path):
    """The second begins and ends while the first is in the middle of its download."""
    wanted, done = Wanted(str(offered), replace=True), []

    def meanwhile(*_: int) -> None:
        if not done:
            done.append("second")
            install(wanted)

    install(wanted, meanwhile)
    assert done and verify_installed("large")
    assert sorted(path.name for path in place.iterdir()) == ["large.json", "large.md", "large.onnx"]


def test_an_altered_model_does_not_verify(offered: Path, place: Path):
    install(Wanted(str(offered)))
    (place / "large.onnx").write_bytes((place / "large.onnx").read_bytes() + b"\0")
    with pytest.raises(ModelError, match="not the file that was installed"):
        verify_installed("large")
    (place / "large.json").unlink()
    with pytest.raises(ModelError, match="no record that can be read"):
        verify_installed("large")
    with pytest.raises(ModelError, match="small: not installed in"):
        verify_installed("small")


@pytest.mark.parametrize(
    "text", ["[" * 60_000, '{"sha256": "", "nbytes": 1, "source": 5, "weights_sha256": ""}', "{}", "[]", "\udcff"]
)
def test_a_record_that_is_none_is_told(offered: Path, place: Path, text: str):
    install(Wanted(str(offered)))
    (place / "large.json").write_text(text, errors="surrogateescape")
    with pytest.raises(ModelError, match=r"large.json: no record that can be read"):
        read_record("large")


def test_texts_of_a_record_are_no_markup(offered: Path, place: Path):
    install(Wanted(str(offered)))
    changed = replace(read_record("large"), source="[/docs] of [old]")
    (place / "large.json").write_text(changed.to_json())
    shown = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and "[/docs] of [old]" in shown.output


def test_a_path_is_no_installed_model(offered: Path, monkeypatch: pytest.MonkeyPatch):
    install(Wanted(str(offered)))
    assert model_path(str(offered)) == offered
    with pytest.raises(ModelError, match=r"packaged or installed model \(mift_nano, large\)"):
        model_path("huge")


def test_the_commands_install_list_and_verify(offered: Path):
    run = CliRunner().invoke
    told = run(
        app, ["install", str(offered), "--name", "big", "--sha256", hashlib.sha256(offered.read_bytes()).hexdigest()]
    )
    assert told.exit_code == 0 and "use it with --model big" in told.output
    assert installed_models() == ["big"]
    shown = run(app, ["list"], env={"COLUMNS": "200"}).output
    assert "mift_nano" in shown and "big" in shown and str(installed.folder()) in shown.replace("\n", "")
    assert "big: good; test, SHA-256" in run(app, ["verify"]).output
