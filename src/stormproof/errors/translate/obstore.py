"""obstore: object stores behind one interface."""

from typing import Any, Final

from stormproof.errors.client_errors import Conflict
from stormproof.errors.external_errors import ProviderUnauthorized
from stormproof.errors.platform_errors import ConfigurationError, StorageError, StorageRefused
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Maker, Table, bug


def _storage(reason: str) -> Maker:
    return lambda _: StorageError(reason=reason)


def _refused(reason: str) -> Maker:
    return lambda _: ProviderUnauthorized(provider="the object store", error_message=reason)


def _conflict(reason: str) -> Maker:
    return lambda _: Conflict(reason=reason)


def _misconfigured(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="the object store does not know a setting it was given")


TABLE: Final[Table] = {
    "obstore.BaseError": _storage("the object store failed"),
    "obstore.GenericError": _storage("the object store failed"),
    "obstore.AlreadyExistsError": _conflict("the object exists already"),
    "obstore.InvalidPathError": bug,
    "obstore.JoinError": bug,
    "obstore.NotFoundError": lambda _: StorageRefused(reason="no such object"),
    "obstore.NotModifiedError": _conflict("the object has not changed"),
    "obstore.NotSupportedError": bug,
    "obstore.PermissionDeniedError": _refused("permission denied"),
    "obstore.PreconditionError": _conflict("the object has changed"),
    "obstore.UnauthenticatedError": _refused("it refused the credentials it was given"),
    "obstore.UnknownConfigurationKeyError": _misconfigured,
}
