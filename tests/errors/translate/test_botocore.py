"""botocore's exceptions, raised by a real S3 client against a real server."""

from collections.abc import Callable, Iterator
from typing import Any

import botocore.config
import botocore.session
import pytest

from stormproof.errors import (
    Conflict,
    DeadlineExceeded,
    InternalError,
    NetworkError,
    ProviderUnauthorized,
    QuotaExhausted,
    RateLimitExceeded,
    ServiceUnavailable,
    StorageRefused,
    StormproofError,
    ThirdPartyError,
    to_wire,
)

Caught = Callable[[Callable[[], object]], StormproofError]
Get = Callable[[str], object]


@pytest.fixture
def get() -> Iterator[Get]:
    """Read an object of a bucket with a real client."""
    session = botocore.session.get_session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    clients = []

    def get_object(url: str) -> object:
        config = botocore.config.Config(
            retries={"total_max_attempts": 1}, read_timeout=0.05, s3={"addressing_style": "path"}
        )
        client = session.create_client("s3", "eu-west-1", endpoint_url=url, config=config)
        clients.append(client)
        return client.get_object(Bucket="private-bucket", Key="private-key")

    yield get_object
    for client in clients:
        client.close()


def refusal(code: str) -> bytes:
    text = "arn:aws:iam::1234:user/bob on private-bucket"
    return f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((404, "NoSuchKey"), StorageRefused),
        ((404, "NoSuchBucket"), StorageRefused),
        ((403, "AccessDenied"), ProviderUnauthorized),
        ((400, "ExpiredToken"), ProviderUnauthorized),
        ((503, "SlowDown"), RateLimitExceeded),
        ((400, "ThrottlingException"), RateLimitExceeded),
        ((400, "ServiceQuotaExceededException"), QuotaExhausted),
        ((400, "RequestTimeout"), DeadlineExceeded),
        ((409, "OperationAborted"), Conflict),
        ((503, "ServiceUnavailable"), ServiceUnavailable),
        ((500, "InternalError"), ThirdPartyError),
    ],
)
def test_the_code_of_aws_decides_and_else_the_status(
    answer: tuple[int, str], expected: type[StormproofError], server: Any, caught: Caught, get: Get
) -> None:
    """Bucket, key, account and role stay inside."""
    headers = {"x-amz-request-id": "REQ1", "content-type": "application/xml"}
    status, code = answer
    url = server.answer(status, refusal(code), headers)
    error = caught(lambda: get(url))
    assert type(error) is expected
    assert "private" not in str(to_wire(error))
    assert "arn:" not in str(to_wire(error))


def test_the_network_fails_like_any_other(
    refused_port: int, silent_port: int, caught: Caught, get: Get
) -> None:
    """Refused, and silent."""
    assert type(caught(lambda: get(f"http://127.0.0.1:{refused_port}"))) is NetworkError
    slow = caught(lambda: get(f"http://127.0.0.1:{silent_port}"))
    assert isinstance(slow, DeadlineExceeded)
    assert slow.operation == "read"


def test_missing_credentials_are_for_the_operator_and_misuse_is_a_bug(caught: Caught) -> None:
    """Neither is retried."""
    session = botocore.session.get_session()
    session.get_component("credential_provider").providers.clear()
    client = session.create_client("s3", "eu-west-1")
    assert type(caught(client.list_buckets)) is ProviderUnauthorized
    assert type(caught(lambda: client.get_object(Bucket=7))) is InternalError
    client.close()
