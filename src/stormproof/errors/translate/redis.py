"""redis-py."""

from typing import Any, Final

from stormproof.errors.client_errors import Conflict
from stormproof.errors.external_errors import (
    ProtocolError,
    ProviderUnauthorized,
    ThirdPartyError,
)
from stormproof.errors.platform_errors import CacheError, DeadlineExceeded
from stormproof.errors.resource_errors import ServiceUnavailable
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Maker, Table, bug
from stormproof.errors.translate.network_reason import unreachable


def _failed(operation: str) -> Maker:
    return lambda _: CacheError(operation=operation)


def _timed_out(_exc: Any) -> StormproofError:
    return DeadlineExceeded(operation="the call to redis")


def _unavailable(reason: str) -> Maker:
    return lambda _: ServiceUnavailable(reason=reason)


def _refused(_exc: Any) -> StormproofError:
    return ProviderUnauthorized(
        provider="redis", error_message="it refused the credentials it was given"
    )


def _conflict(reason: str) -> Maker:
    return lambda _: Conflict(reason=reason)


def _broken(_exc: Any) -> StormproofError:
    return ProtocolError(reason="not the protocol of redis")


def _administration_failed(_exc: Any) -> StormproofError:
    return ThirdPartyError(service="redis")


TABLE: Final[Table] = {
    "redis.RedisError": _failed("operation"),
    # Getting there.
    "redis.ConnectionError": unreachable("the connection to redis failed"),
    "redis.TimeoutError": _timed_out,
    "redis.InvalidResponse": _broken,
    "redis.BusyLoadingError": _unavailable("redis is still loading its data"),
    "redis.ClusterDownError": _unavailable("the redis cluster is down"),
    "redis.ClusterError": _unavailable("the redis cluster is down"),
    "redis.MasterDownError": _unavailable("the redis master is down"),
    "redis.MasterNotFoundError": _unavailable("redis has no master now"),
    "redis.MaxConnectionsError": _unavailable("no connection to redis is free"),
    "redis.ReadOnlyError": _unavailable("this redis takes no writes now"),
    "redis.SlaveNotFoundError": _unavailable("redis has no replica now"),
    "redis.SlotNotCoveredError": _unavailable("the redis cluster is not whole"),
    "redis.TryAgainError": _unavailable("the redis cluster is moving keys"),
    "redis.InitialHealthCheckFailedError": _unavailable("no redis is healthy"),
    "redis.NoValidDatabaseException": _unavailable("no redis is healthy"),
    "redis.TemporaryUnavailableException": _unavailable("no redis is healthy"),
    "redis.UnhealthyDatabaseException": _unavailable("no redis is healthy"),
    # Who we are.
    "redis.AuthenticationError": _refused,
    "redis.AuthenticationWrongNumberOfArgsError": _refused,
    "redis.AuthorizationError": _refused,
    "redis.ExternalAuthProviderError": _refused,
    "redis.NoPermissionError": _refused,
    "redis.InvalidTokenSchemaErr": _refused,
    "redis.RequestTokenErr": _refused,
    "redis.TokenRenewalErr": _refused,
    # Who was first.
    "redis.LockError": _conflict("the lock is held by someone else"),
    "redis.LockNotOwnedError": _conflict("the lock is no longer ours"),
    "redis.WatchError": _conflict("a watched key has changed"),
    # What redis answers to a command.
    "redis.ResponseError": _failed("command"),
    "redis.AskError": _failed("command"),
    "redis.MovedError": _failed("command"),
    "redis.ExecAbortError": _failed("transaction"),
    "redis.NoScriptError": _failed("script"),
    "redis.NoSuchFieldsetError": _failed("command"),
    "redis.OutOfMemoryError": _failed("write"),
    "redis.HttpError": _administration_failed,
    # How we use it.
    "redis.ChildDeadlockedError": bug,
    "redis.ClusterCrossSlotError": bug,
    "redis.CrossSlotTransactionError": bug,
    "redis.DataError": bug,
    "redis.EventException": bug,
    "redis.IncorrectPolicyType": bug,
    "redis.InvalidPipelineStack": bug,
    "redis.ModuleError": bug,
    "redis.PubSubError": bug,
    "redis.RedisClusterException": bug,
}
