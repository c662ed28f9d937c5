"""langchain-core's exceptions."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.prompts import PromptTemplate
from langchain_core.tools import ToolException, tool

from stormproof.errors import (
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    NetworkError,
    ParsingError,
    PromptError,
    ProviderError,
    ProviderUnauthorized,
    RateLimitExceeded,
    StormproofError,
    ToolError,
    ValidationErrors,
    to_wire,
    translate,
)

Caught = Callable[[Callable[[], object]], StormproofError]


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (ModelError("x"), ProviderError),
        (ModelAPIError("x"), ProviderError),
        (ModelAuthenticationError("x"), ProviderUnauthorized),
        (ModelConnectionError("x"), NetworkError),
        (ModelInvalidRequestError("x"), InvalidRequest),
        (ModelNotFoundError("model 'm' not found"), ModelNotFound),
        (ModelRateLimitError("x"), RateLimitExceeded),
        (ModelTimeoutError("x"), DeadlineExceeded),
        (ContextOverflowError("prompt is too long: 9 tokens > 5 maximum"), ContextTooLong),
        (ContextOverflowError("x"), InvalidRequest),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_a_models_failure_is_what_its_name_says(
    exc: Exception, expected: type[StormproofError]
) -> None:
    """Langchain names them after HTTP statuses."""
    assert type(translate(exc)) is expected


def test_an_sdk_that_knows_more_is_asked(server: Any) -> None:
    """Integrations raise classes that derive from both."""

    class Limited(ModelRateLimitError, openai.RateLimitError):
        pass

    answer = {"error": {"message": "no", "code": "insufficient_quota"}}
    url = server.answer(429, answer, {"retry-after": "8"})
    with (
        openai.OpenAI(api_key="k", base_url=url, max_retries=0) as client,
        pytest.raises(openai.RateLimitError) as raised,
    ):
        client.models.list()
    exc = Limited("no", response=raised.value.response, body=raised.value.body)
    error = translate(exc)
    assert error.code == "QUOTA_EXHAUSTED"
    assert error.retry_after == 8.0


def test_an_output_that_does_not_parse_is_not_quoted(caught: Caught) -> None:
    """It is the answer to somebody's question."""
    error = caught(lambda: JsonOutputParser().parse("my private answer {"))
    assert type(error) is ParsingError
    assert "private" not in str(to_wire(error))


def test_a_tool_that_fails_says_why_and_one_called_wrongly_says_where(caught: Caught) -> None:
    """Both are meant to be read by the model."""

    @tool
    def divide(a: int) -> int:
        """Divide."""
        raise ToolException(f"cannot divide by {a}")

    failed = caught(lambda: divide.invoke({"a": 0}))
    assert isinstance(failed, ToolError)
    assert failed.reason == "cannot divide by 0"
    wrong = caught(lambda: divide.invoke({"a": "private"}))
    assert isinstance(wrong, ValidationErrors)
    assert wrong.errors[0]["field"] == "a"


def test_a_template_that_does_not_parse_is_a_prompt_error(caught: Caught) -> None:
    """A section of mustache that never ends."""
    error = caught(
        lambda: PromptTemplate.from_template("{{#a}} x", template_format="mustache").format(a=[1])
    )
    assert type(error) is PromptError
