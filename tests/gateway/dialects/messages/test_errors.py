"""Errors as Anthropic's clients read them."""

import typing

import pytest
from anthropic.types.shared import ErrorType

from stormproof.errors import StormproofError, from_wire
from stormproof.gateway.dialects.messages.errors import MessagesError, error_document
from support.error_samples import OURS, make_whole

TYPES = {*typing.get_args(ErrorType), "request_too_large"}
"""Those of the client, and one that only the documentation of the API has."""


@pytest.mark.parametrize("cls", OURS)
def test_every_error_has_a_type_that_the_client_knows(cls: type[StormproofError]) -> None:
    """And is still what it was to whoever knows us."""
    error = make_whole(cls)
    error.request_id = "req_1"
    document = error_document(error)
    MessagesError.model_validate(document, strict=True)
    assert document["error"]["type"] in TYPES
    assert document["request_id"] == "req_1"
    assert type(from_wire(document)) is cls


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_the_type_says_what_the_status_does(status: int, kind: str) -> None:
    told = {
        error_document(make_whole(cls))["error"]["type"]
        for cls in OURS
        if cls.http_status == status
    }
    assert told == {kind}
