"""Writing errors: the public form, the internal one, problem details, headers."""

import json
import math

import pytest

from stormproof.errors import (
    BudgetExceeded,
    CapacityExceeded,
    ClientError,
    ConfigurationError,
    DiskFull,
    InvalidRequest,
    ModelNotFound,
    NetworkError,
    RateLimitExceeded,
    ServiceUnavailable,
    StormproofError,
    Unauthorized,
    ValidationError,
    ValidationErrors,
    from_wire,
    http_headers,
    to_problem,
    to_wire,
)


def test_the_public_document() -> None:
    """The whole of what a client is sent."""
    error = RateLimitExceeded(limit=60, window=60, retry_after=1.5, request_id="req_1")

    assert to_wire(error) == {
        "error": {
            "message": "rate limit exceeded: 60 requests per 60s",
            "type": "rate_limit_error",
            "param": None,
            "code": "RATE_LIMIT_EXCEEDED",
            "status": 429,
            "category": "resource",
            "severity": "WARNING",
            "details": {"limit": 60, "window": 60},
            "timestamp": error.timestamp.isoformat().replace("+00:00", "Z"),
            "request_id": "req_1",
            "retriable": True,
            "retry_after": 1.5,
        }
    }


def test_the_internal_document_adds_what_stays_inside() -> None:
    error = DiskFull(path="/srv")
    error.add_note("while pulling")
    error.__cause__ = OSError(28, "No space left on device")

    document = to_wire(error, internal=True)["error"]

    assert document.pop("internal") == {
        "fields": {"operation": "write", "path": "/srv"},
        "notes": ["while pulling"],
        "causes": [
            {
                "class": "builtins.OSError",
                "message": "[Errno 28] No space left on device",
                "notes": [],
            }
        ],
    }
    assert document == to_wire(error)["error"]


def test_problem_details() -> None:
    """RFC 9457: the five members of the standard, and ours as extensions."""
    problem = to_problem(ModelNotFound(model="x", request_id="req_1"))

    assert problem["type"] == "urn:stormproof:error:MODEL_NOT_FOUND"
    assert problem["title"] == "No model of this name is served here."
    assert problem["status"] == 404
    assert problem["detail"] == "no model 'x'"
    assert problem["code"] == "MODEL_NOT_FOUND"
    assert problem["request_id"] == "req_1"
    assert problem["details"] == {"model": "x", "available": []}


def test_problem_details_of_a_class_without_a_docstring_have_its_code_as_title() -> None:
    """Programs run with ``-OO`` lose their docstrings."""

    class Undocumented(ValidationError):
        code = "UNDOCUMENTED"

    assert to_problem(Undocumented(reason="x"))["title"] == "UNDOCUMENTED"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidRequest(reason="x"), "invalid_request_error"),
        (Unauthorized(), "authentication_error"),
        (ModelNotFound(model="x"), "not_found_error"),
        (RateLimitExceeded(), "rate_limit_error"),
        (ServiceUnavailable(reason="x"), "server_error"),
        (NetworkError(reason="x"), "server_error"),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_openai_types(error: StormproofError, expected: str) -> None:
    """The ``type`` that OpenAI clients know for such a failure."""
    assert to_wire(error)["error"]["type"] == expected


def test_the_field_at_fault_is_the_param() -> None:
    """``param`` of the API's own schema, ``field`` of a rule of the domain."""
    assert to_wire(InvalidRequest(reason="x", param="messages.0"))["error"]["param"] == "messages.0"
    assert to_wire(ValidationError(reason="x", field="port"))["error"]["param"] == "port"


def test_the_param_is_bounded_and_free_of_secrets() -> None:
    """A field's name may come from the input."""
    param = to_wire(InvalidRequest(reason="x", param="sk-12345678" + "x" * 9000))["error"]["param"]

    assert param == "[redacted]…"


def test_a_param_that_is_no_text_is_left_to_the_details() -> None:
    """OpenAI's clients expect text or nothing."""

    class FieldFlooded(ClientError):
        """A field is under water."""

        code = "FIELD_FLOODED"
        field: int

    body = to_wire(FieldFlooded(field=7))["error"]

    assert (body["param"], body["details"]) == (None, {"field": 7})


def test_headers() -> None:
    """The wait rounded up, the request's id, and the challenge that a 401 must have."""
    assert http_headers(CapacityExceeded(resource="queue", limit=1, retry_after=0.2)) == {
        "retry-after": "1"
    }
    assert http_headers(Unauthorized(request_id="req_1")) == {
        "x-request-id": "req_1",
        "www-authenticate": "Bearer",
    }
    assert http_headers(ConfigurationError(reason="x")) == {}


def test_clients_are_kept_from_repeating_what_no_waiting_helps() -> None:
    """Those of OpenAI and Anthropic repeat whatever has this status, unless told otherwise."""
    spent = BudgetExceeded(budget="key", period="day", retry_after=3600)
    assert http_headers(spent) == {"retry-after": "3600", "x-should-retry": "false"}
    assert "x-should-retry" not in http_headers(RateLimitExceeded(retry_after=1))


def test_a_rate_limit_says_how_much_is_left() -> None:
    """In headers alone; what is no such header, or would end the line, is none."""
    lines = ["x-ratelimit-remaining-requests: 0", "set-cookie: a=b", "x-ratelimit-x: a\r", "x"]
    error = RateLimitExceeded(headers="\n".join(lines))
    assert http_headers(error) == {"x-ratelimit-remaining-requests": "0"}
    assert "headers" not in to_wire(error)["error"]["details"]


@pytest.mark.parametrize("wait", [math.inf, math.nan])
def test_a_wait_that_never_ends_is_no_header(wait: float) -> None:
    """Handling an error does not fail over its numbers."""
    error = CapacityExceeded(resource="queue", limit=1, retry_after=wait)

    assert http_headers(error) == {}
    assert json.dumps(to_wire(error), allow_nan=False)


def test_long_lists_are_cut() -> None:
    """An input with a million mistakes gets an answer of bounded size."""
    problems = [{"field": f"f{n}", "message": "bad", "type": "bad"} for n in range(10_000)]

    error = ValidationErrors(errors=problems)  # type: ignore[arg-type]

    assert len(to_wire(error)["error"]["details"]["errors"]) == 100
    assert len(json.dumps(to_wire(error, internal=True))) < 50_000


def test_circular_causes_are_sent_once() -> None:
    """An error that caused its own cause ends up neither in a loop nor in a huge document."""
    first, second = NetworkError(reason="1"), NetworkError(reason="2")
    first.__cause__, second.__cause__ = second, first

    back = from_wire(to_wire(first, internal=True))

    assert str(back.__cause__) == "network error: 2"
    assert back.__cause__ is not None
    assert back.__cause__.__cause__ is None


def test_a_long_chain_of_causes_is_cut() -> None:
    """The document grows with the chain, not with its square or worse, and only so far."""
    error: StormproofError = NetworkError(reason="deepest")
    for _ in range(2000):
        nearer = NetworkError(reason="nearer")
        nearer.__cause__ = error
        error = nearer

    document = to_wire(error, internal=True)

    assert len(document["error"]["internal"]["causes"]) == 16
    assert all(
        "causes" not in cause["internal"] for cause in document["error"]["internal"]["causes"]
    )
