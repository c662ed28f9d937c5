"""What a log line says of the request during which it was written."""

from contextlib import AbstractContextManager

from structlog.contextvars import bound_contextvars


def log_context(
    *, request_id: str | None = None, operation: str | None = None, worker: int | None = None
) -> AbstractContextManager[None]:
    """Write these on every line that is logged inside, here and in tasks that are begun here.

    Args:
        request_id: The request that is served.
        operation: What is being done, by a name from the code and not from a client.
        worker: The number of the process, where several serve.
    """
    given = {"request_id": request_id, "operation": operation, "worker": worker}
    return bound_contextvars(**{name: value for name, value in given.items() if value is not None})
