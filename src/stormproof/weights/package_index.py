"""Finding one wheel on a Python package index (PEP 503 in HTML, PEP 691 in JSON)."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import httpx2
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from stormproof.errors import ConfigurationError, ProtocolError
from stormproof.weights.pip_settings import pip_setting
from stormproof.weights.transport import INDEX_SETTING, host_of, network_failures, refusal

PYPI: Final = "https://pypi.org/simple/"

_JSON: Final = "application/vnd.pypi.simple.v1+json"
_ACCEPT: Final = f"{_JSON}, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.1"
_LARGEST_PAGE: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A wheel that an index offers.

    Attributes:
        filename: Its name, a plain one.
        url: Where it is.
        sha256: Its checksum in lower-case hexadecimal, if the index states it.
    """

    filename: str
    url: str
    sha256: str | None


def index_url(given: str | None = None) -> str:
    """Return the package index to use: the one given, else the user's, else PyPI.

    Args:
        given: Wins over ``STORMPROOF_INDEX_URL``, which wins over pip's ``index-url``.
    """
    return given or os.environ.get(INDEX_SETTING) or pip_setting("index-url") or PYPI


def find_wheel(client: httpx2.Client, index: str, project: str, version: str) -> WheelFile:
    """Return the wheel of one version of a project.

    Args:
        client: Does the requests.
        index: Address of the index; ``https://pypi.org/simple/``.
        project: Name of the project, in any spelling.
        version: The version, exactly.

    Raises:
        ConfigurationError: The index does not have it, or is no index.
        NetworkError: The index cannot be reached.
        ServiceUnavailable: The index is overloaded.
    """
    page_url = f"{_checked(index).rstrip('/')}/{canonicalize_name(project)}/"
    for file in _files(*_page(client, page_url)):
        if _is_wheel_of(file.filename, project, version):
            return file
    reason = f"{host_of(index)} has no wheel of {project} {version}"
    raise ConfigurationError(setting=INDEX_SETTING, reason=reason)


def _checked(index: str) -> str:
    try:
        url = urlsplit(index)
    except ValueError as error:
        raise ConfigurationError(setting=INDEX_SETTING, reason="not a URL") from error
    if url.scheme not in {"http", "https"} or not url.hostname:
        reason = "not the http or https address of a package index"
        raise ConfigurationError(setting=INDEX_SETTING, reason=reason)
    return index


def _page(client: httpx2.Client, url: str) -> tuple[httpx2.Response, bytes]:
    with network_failures(url), client.stream("GET", url, headers={"accept": _ACCEPT}) as response:
        if response.status_code != httpx2.codes.OK:
            raise refusal(response)
        page = bytearray()
        for chunk in response.iter_bytes():
            page += chunk
            if len(page) > _LARGEST_PAGE:
                raise ProtocolError(reason=f"the page of {host_of(url)} does not end")
        return response, bytes(page)


def _files(response: httpx2.Response, page: bytes) -> list[WheelFile]:
    kind, url = response.headers.get("content-type", "").lower(), str(response.url)
    try:
        if kind.startswith(_JSON):
            return list(_files_of_json(url, page))
        return list(_files_of_html(url, page.decode(response.encoding or "utf-8", "replace")))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{host_of(url)} sent a page that is not a package index's"
        raise ProtocolError(reason=reason) from error


def _files_of_json(page_url: str, page: bytes) -> Iterator[WheelFile]:
    for file in json.loads(page)["files"]:
        yield _wheel_file(page_url, file["url"], file.get("hashes", {}).get("sha256"))


def _files_of_html(page_url: str, page: str) -> Iterator[WheelFile]:
    anchors = _Anchors()
    anchors.feed(page)
    base = urljoin(page_url, anchors.base)
    for href in anchors.hrefs:
        url, fragment = urldefrag(href)
        name, _, digest = fragment.partition("=")
        yield _wheel_file(base, url, digest if name == "sha256" else None)


class _Anchors(HTMLParser):
    """The links of a page, and what they are relative to."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the target of a link."""
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
        elif tag == "base" and href and not self.base:
            self.base = href


def _wheel_file(base: str, href: str, sha256: Any) -> WheelFile:
    url = _with_credentials(urljoin(base, href), base)
    filename = unquote(urlsplit(url).path).rpartition("/")[2]
    return WheelFile(filename, url, sha256.lower() if isinstance(sha256, str) else None)


def _with_credentials(url: str, base: str) -> str:
    """Carry user and password of the index over to its own files, and to nobody else's."""
    user, at, host = urlsplit(base).netloc.rpartition("@")
    target = urlsplit(url)
    same = (target.scheme, target.netloc) == (urlsplit(base).scheme, host)
    return target._replace(netloc=user + at + host).geturl() if same else url


def _is_wheel_of(filename: str, project: str, version: str) -> bool:
    try:
        name, found, *_ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    return name == canonicalize_name(project) and found == Version(version)
