"""Reading errors from documents that nobody vouches for."""

import json
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.errors import (
    CapacityExceeded,
    CircuitOpen,
    ClientError,
    ExternalError,
    ForeignCause,
    OutOfBlocks,
    PlatformError,
    ProtocolError,
    ResourceError,
    Severity,
    StormproofError,
    from_wire,
    http_headers,
    to_problem,
    to_wire,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**70), 2**70) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def valid() -> dict[str, Any]:
    """A document with everything in it."""
    error = CapacityExceeded(resource="queue", limit=3, retry_after=0, request_id="req_1")
    error.add_note("a note")
    error.__cause__ = OutOfBlocks(needed=3, free=1)
    error.__cause__.__cause__ = KeyError("deepest")
    document: dict[str, Any] = json.loads(json.dumps(to_wire(error, internal=True)))
    return document


def stranger(**told: Any) -> dict[str, Any]:
    return {"error": {"message": "the tide is {high}", "code": "TIDE_TOO_HIGH", **told}}


def read(document: Any) -> StormproofError | None:
    """Read a document and do everything with the result that a program may do."""
    try:
        error = from_wire(document)
    except ProtocolError:
        return None
    json.dumps([to_wire(error), to_wire(error, internal=True), to_problem(error)], allow_nan=False)
    assert all("\n" not in value and "\r" not in value for value in http_headers(error).values())
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
    assert len(str(error)) < 20_000
    return error


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process stand where the local time is not UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@given(json_values)
@settings(deadline=None)
def test_any_json_is_refused_or_read(document: Any) -> None:
    """Whatever arrives, the outcome is an error of ours."""
    read(document)
    read({"error": document})
    read({"error": {"message": "m", "code": "CIRCUIT_OPEN", "details": document}})
    read({"error": {"message": "m", "internal": document}})


@given(st.data())
@settings(deadline=None)
def test_a_valid_document_may_be_damaged_anywhere(data: st.DataObject) -> None:
    """Any one part replaced by anything leaves a document that is refused or read."""
    document = valid()
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(json_values)

    read(document)


@pytest.mark.parametrize(
    "document",
    [
        *(None, 1, "error", [], {}),
        *({"error": None}, {"error": "x"}, {"error": {}}, {"error": {"message": 1}}),
        {"error": {"message": None, "code": "CIRCUIT_OPEN"}},
    ],
)
def test_what_is_not_an_error_document_is_refused(document: Any) -> None:
    """An HTML page or an empty object from a proxy is not mistaken for an error of ours."""
    with pytest.raises(ProtocolError, match="not an error document"):
        from_wire(document)


def deep(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = {"internal": {"causes": [{"message": "m", "details": [value]}]}, "cause": [value]}
    return value


@pytest.mark.parametrize(
    "place",
    ["code", "severity", "timestamp", "request_id", "details", "internal", "category", "status"],
)
def test_deep_nesting_does_no_harm(place: str) -> None:
    """A structure nested beyond the interpreter's own depth is passed by, wherever it is."""
    assert read({"error": {"message": "m", place: deep(5_000)}}) is not None
    assert read({"error": {"message": "m", "code": "CIRCUIT_OPEN", place: deep(5_000)}}) is not None


def test_huge_documents_make_small_errors() -> None:
    """Text, lists and chains are cut to what an error may hold."""
    huge = "x" * 10**6
    cause = {"class": huge, "message": huge, "notes": [huge] * 1000}
    document = {
        "message": huge,
        "code": "TIDE_TOO_HIGH",
        "request_id": huge,
        "details": {f"k{n}": huge for n in range(1000)},
        "internal": {"notes": [huge] * 1000, "causes": [cause] * 1000},
    }

    error = from_wire({"error": document})

    assert len(pickle.dumps(error)) < 10**7
    assert len(str(error)) < 5000
    assert len(error.request_id or "") == 128


@pytest.mark.parametrize(
    ("category", "family"),
    [
        ("client", ClientError),
        ("resource", ResourceError),
        ("platform", PlatformError),
        ("external", ExternalError),
        ("martian", ExternalError),
        (None, ExternalError),
        (["client"], ExternalError),
    ],
)
def test_an_unknown_code_comes_back_as_its_family(
    category: object, family: type[StormproofError]
) -> None:
    """A client older than the server still knows who has to act."""
    assert type(from_wire(stranger(category=category))) is family


def test_an_unknown_error_is_what_its_document_says() -> None:
    """Code, message, status, severity, retriability and details are those of the newer version."""
    told = {
        "status": 418,
        "category": "client",
        "severity": "CRITICAL",
        "retriable": True,
        "details": {"metres": 3},
        "retry_after": 7,
    }

    error = from_wire(stranger(**told))

    assert isinstance(error, ClientError)
    assert (error.code, error.http_status, error.retriable) == ("TIDE_TOO_HIGH", 418, True)
    assert error.severity is Severity.CRITICAL
    assert error.message == "the tide is {high}"
    assert error.details == {"metres": 3}
    assert error.retry_after == 7


def test_an_unknown_error_can_be_passed_on() -> None:
    """A gateway between a new server and a new client does not have to be new."""
    document = stranger(status=503, category="resource", details={"metres": 3}, request_id="r")
    once = to_wire(from_wire(document))

    assert once["error"].items() >= document["error"].items()
    assert to_wire(from_wire(once)) == once
    assert to_wire(pickle.loads(pickle.dumps(from_wire(once)))) == once  # noqa: S301


def test_what_an_unknown_error_was_told_does_not_change_its_family() -> None:
    """It is told to the one instance."""
    from_wire(stranger(status=503, category="client"))

    assert ClientError().http_status == 400
    assert ClientError().code == "CLIENT_ERROR"


@pytest.mark.parametrize(
    ("told", "attribute", "expected"),
    [
        ({"code": "tide too high"}, "code", "EXTERNAL_ERROR"),
        ({"code": "A" * 65}, "code", "EXTERNAL_ERROR"),
        ({"status": 200}, "http_status", 502),
        ({"status": True}, "http_status", 502),
        ({"status": 10**9}, "http_status", 502),
        ({"retriable": "no"}, "retriable", True),
        ({"severity": "LOUD"}, "severity", Severity.ERROR),
        ({"request_id": "a\r\nset-cookie: b"}, "request_id", None),
        ({"request_id": "ü"}, "request_id", None),
        ({"retry_after": -1}, "retry_after", None),
        ({"retry_after": float("nan")}, "retry_after", None),
        ({"retry_after": True}, "retry_after", None),
        ({"retry_after": 10**9}, "retry_after", 86_400),
        ({"retry_after": float("inf")}, "retry_after", 86_400),
    ],
)
def test_nonsense_is_not_believed(told: dict[str, Any], attribute: str, expected: object) -> None:
    """What cannot be is replaced by what the family is, or left out, or held to a day."""
    assert getattr(from_wire(stranger(**told)), attribute) == expected


@pytest.mark.parametrize(
    "timestamp",
    ["soon", "", 0, None, "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00", "٢٠٢٤-01-01"],
)
def test_a_time_that_cannot_be_is_now(timestamp: object) -> None:
    before = CircuitOpen(circuit="x").timestamp

    assert from_wire(stranger(timestamp=timestamp)).timestamp >= before


@pytest.mark.parametrize("timestamp", ["2024-01-15T10:30:00Z", "2024-01-15T10:30:00"])
@pytest.mark.usefixtures("in_tokyo")
def test_a_time_without_zone_is_utc(timestamp: str) -> None:
    """Where the machine that reads stands has nothing to do with it."""
    assert from_wire(stranger(timestamp=timestamp)).timestamp.isoformat() == (
        "2024-01-15T10:30:00+00:00"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda fields: fields.pop("needed"),
        lambda fields: fields.update(needed="three"),
        lambda fields: fields.update(needed=None),
    ],
)
def test_a_known_code_with_foreign_fields_is_an_unknown_error(
    spoil: Callable[[dict[str, Any]], object],
) -> None:
    """Another version may have given the class other fields; the rest of the document stands."""
    document = to_wire(OutOfBlocks(needed=3, free=1))
    spoil(document["error"]["details"])

    error = from_wire(document)

    assert type(error) is ResourceError
    assert (error.code, error.http_status) == ("OUT_OF_BLOCKS", 503)
    assert error.message == "out of KV cache blocks: 3 needed, 1 free"


def test_fields_of_a_newer_version_are_left_out() -> None:
    """A known class is made from the fields that this version knows."""
    document = to_wire(OutOfBlocks(needed=3, free=1))
    document["error"]["details"]["fragmented"] = True

    assert type(from_wire(document)) is OutOfBlocks


def test_any_mapping_will_do() -> None:
    """Decoders differ in what they return for an object."""

    class Frozen(Mapping[str, Any]):
        def __init__(self, content: dict[str, Any]) -> None:
            self.content = content

        def __getitem__(self, name: str) -> Any:
            value = self.content[name]
            return Frozen(value) if isinstance(value, dict) else value

        def __iter__(self) -> Any:
            return iter(self.content)

        def __len__(self) -> int:
            return len(self.content)

    assert type(from_wire(Frozen(valid()))) is CapacityExceeded


def test_causes_end_where_they_cannot_be_read() -> None:
    """What comes before a broken link is kept."""
    document = valid()
    document["error"]["internal"]["causes"].insert(1, "broken")

    error = from_wire(document)

    assert isinstance(error.__cause__, OutOfBlocks)
    assert error.__cause__.__cause__ is None


def test_a_cause_without_a_class_is_still_a_cause() -> None:
    error = from_wire(stranger(internal={"causes": [{"message": "gone"}]}))

    assert isinstance(error.__cause__, ForeignCause)
    assert str(error.__cause__) == "an unknown class: gone"


def test_secrets_of_a_peer_are_blanked() -> None:
    """A peer that does not redact makes us neither print its keys nor keep them."""
    key = "sk-12345678"
    cause = {"class": key, "message": key, "notes": [key]}
    inside = {"notes": [key], "causes": [cause]}

    error = from_wire(stranger(message=f"refused {key}", details={"key": key}, internal=inside))

    assert key not in str(error) + repr(error)
    assert key.encode() not in pickle.dumps(error)
