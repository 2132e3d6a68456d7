"""Open a file or a URL for reading, each failure as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, url2pathname

from mift_ros import __version__
from mift_ros.errors import ModelError

TIMEOUT_S = 30.0
"""Without a byte."""
NOT_FOUND = (404, 410)
SCHEMES = ("https", "http", "file")


class Missing(ModelError):  # noqa: N818
    """There is nothing at this place."""


class _SameSecurity(HTTPRedirectHandler):
    """Follows a redirection, but not from https to anything else."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise ModelError(f"{req.full_url}: leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def beside(source: str, suffix: str, instead_of: str = "") -> str:
    """The place of another file of the same name: `suffix` after it, or in place of its suffix `instead_of`."""
    if not is_url(source):
        return source.removesuffix(instead_of) + suffix
    split = urlsplit(source)
    return split._replace(path=split.path.removesuffix(instead_of) + suffix).geturl()


def is_url(source: str) -> bool:
    """Whether it has a scheme; one letter is a drive."""
    return len(urlsplit(source).scheme) > 1


@contextmanager
def open_source(source: str) -> Iterator[tuple[BinaryIO, int]]:
    """A stream of a file, file: URL or http(s) URL, and its length in bytes, 0 where that is not told.

    Raises:
        Missing: there is no such file.
        ModelError: it cannot be reached or read.
    """
    scheme = urlsplit(source).scheme if is_url(source) else "file"
    if scheme not in SCHEMES:
        raise ModelError(f"{source}: not a file and not one of {', '.join(SCHEMES)}")
    with _local(source) if scheme == "file" else _remote(source) as found:
        yield found


@contextmanager
def _local(source: str) -> Iterator[tuple[BinaryIO, int]]:
    path = Path(url2pathname(urlsplit(source).path) if is_url(source) else source)
    try:
        with path.open("rb") as file:
            yield file, path.stat().st_size
    except FileNotFoundError as error:
        raise Missing(f"{source}: no such file") from error
    except OSError as error:
        raise ModelError(f"{source}: cannot be read ({error.strerror})") from error


@contextmanager
def _remote(url: str) -> Iterator[tuple[BinaryIO, int]]:
    request = Request(url, headers={"User-Agent": f"mift_ros/{__version__}"})
    try:
        with build_opener(_SameSecurity).open(request, timeout=TIMEOUT_S) as answer:
            yield answer, int(answer.headers.get("Content-Length") or 0)
    except HTTPError as error:
        kind = Missing if error.code in NOT_FOUND else ModelError
        raise kind(f"{url}: the server says {error.code} {error.reason}") from error
    except URLError as error:
        raise ModelError(f"{url}: cannot be reached ({error.reason})") from error
    except (HTTPException, OSError, ValueError) as error:
        raise ModelError(f"{url}: the connection failed ({error})") from error
