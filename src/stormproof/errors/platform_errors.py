"""Our own machinery failed."""

from stormproof.errors.fields import Internal
from stormproof.errors.root import StormproofError
from stormproof.errors.taxonomy import Category, Severity


class PlatformError(StormproofError):
    """Our own machinery failed."""

    code = "PLATFORM_ERROR"
    category = Category.PLATFORM
    template = "an internal operation failed"
    remedy = "Look at the log under the request id."


class InternalError(PlatformError):
    """A bug: something that the code did not expect."""

    code = "INTERNAL_ERROR"
    severity = Severity.CRITICAL
    template = "an internal error occurred"
    remedy = "Report it with its request id; the log holds the cause."

    reason: Internal[str | None] = None


class ConfigurationError(PlatformError):
    """A setting is missing, wrong, or contradicts another."""

    code = "CONFIGURATION_ERROR"
    severity = Severity.CRITICAL
    template = "configuration error: {reason}"
    remedy = "Correct the setting it names, then start again."

    reason: str
    setting: str | None = None

    def describe(self) -> str:
        """Put the setting in front of the reason, if there is one."""
        named = f"{self.setting}: " if self.setting else ""
        return f"configuration error: {named}{self.reason}"


class DeadlineExceeded(PlatformError, TimeoutError):
    """The time allowed for an operation is over; also a builtin ``TimeoutError``."""

    code = "TIMEOUT_ERROR"
    http_status = 504
    severity = Severity.WARNING
    retriable = True
    template = "{operation} timed out"
    remedy = "Allow more time, ask for less, or try elsewhere."

    operation: str = "the operation"
    timeout: float | None = None

    def describe(self) -> str:
        """Say how long it was given, if known."""
        after = "" if self.timeout is None else f" after {self.timeout:g}s"
        return super().describe() + after


class StorageError(PlatformError):
    """A file system or object store failed to read or write."""

    code = "STORAGE_ERROR"
    retriable = True
    template = "storage failed to {operation}"
    remedy = "Check that the storage is there, healthy and writable; the cause says more."

    operation: str = "read or write"
    reason: str | None = None
    path: Internal[str | None] = None

    def describe(self) -> str:
        """Add the reason, if there is one."""
        return super().describe() + (f": {self.reason}" if self.reason else "")


class StorageRefused(StorageError):
    """A file system said no: missing, forbidden, read-only, or not of that kind."""

    code = "STORAGE_REFUSED"
    retriable = False
    remedy = "Check the path and its permissions; the same call will fail again."


class DatabaseError(PlatformError):
    """A database did not do what it was asked."""

    code = "DATABASE_ERROR"
    http_status = 503
    retriable = True
    template = "database {operation} failed"
    remedy = "Check that the database is up and reachable; the cause says more."

    operation: str = "operation"
    reason: Internal[str | None] = None


class CacheError(PlatformError):
    """A cache failed: go on without it."""

    code = "CACHE_ERROR"
    severity = Severity.WARNING
    retriable = True
    template = "cache {operation} failed"
    remedy = "Bypass the cache; if its content may be damaged, clear it."

    operation: str = "operation"
    reason: Internal[str | None] = None


class SerializationError(PlatformError):
    """Data could not be encoded or decoded."""

    code = "SERIALIZATION_ERROR"
    template = "serialization error: {reason}"
    remedy = "Check the data and its version against what this version writes."

    reason: str


class EncryptionError(PlatformError):
    """Something could not be encrypted, or no key could be made."""

    code = "ENCRYPTION_ERROR"
    severity = Severity.CRITICAL
    template = "encryption failed: {reason}"
    remedy = "Check the master key and the source of randomness; nothing was stored."

    reason: str


class DecryptionError(PlatformError):
    """Something encrypted could not be opened: wrong key, or damaged data."""

    code = "DECRYPTION_ERROR"
    severity = Severity.CRITICAL
    template = "decryption failed: {reason}"
    remedy = "Check which key the data was written with; restore it if it is damaged."

    reason: str


class ModelError(PlatformError):
    """A model cannot be built or run."""

    code = "MODEL_ERROR"
    template = "model error: {reason}"
    remedy = "Check that the model's architecture is supported and its weights are whole."

    reason: str
    model: str | None = None


class ModelLoadError(ModelError):
    """A model's files are missing, damaged or not supported."""

    code = "MODEL_LOAD_ERROR"
    template = "failed to load model: {reason}"
    remedy = "Check the name or path; pull the model again if its files are damaged."

    path: Internal[str | None] = None


class TensorError(ModelError):
    """A tensor operation failed: shape, type, device or a number that is not one."""

    code = "TENSOR_ERROR"
    template = "tensor error: {reason}"
    remedy = "Report it with the request; other requests go on."


class TokenizationError(ModelError):
    """Text could not be turned into tokens, or tokens into text."""

    code = "TOKENIZATION_ERROR"
    template = "tokenization error: {reason}"
    remedy = "Check that the tokenizer belongs to the model and the text is valid Unicode."


class PoisonedRequest(PlatformError):
    """A request that ended the process which worked on it, alone, more than once."""

    code = "POISONED_REQUEST"
    template = "the engine's process died {deaths} times of this request: {cause}"
    remedy = "Report it with its request id, or ask differently; other requests go on."

    deaths: int
    cause: str


class MemoryStoreError(PlatformError):
    """A conversation's memory could not be read or written."""

    code = "MEMORY_STORE_ERROR"
    retriable = True
    template = "memory error: {reason}"
    remedy = "Check the store behind the memory; go on without it if the answer allows."

    reason: str


class CallbackError(PlatformError):
    """A callback that the application gave raised an error."""

    code = "CALLBACK_ERROR"
    severity = Severity.WARNING
    template = "callback error: {reason}"
    remedy = "Correct the callback; the work it watched was not affected."

    reason: str


class LoaderError(PlatformError):
    """A document could not be loaded."""

    code = "LOADER_ERROR"
    template = "loader error: {reason}"
    remedy = "Check that the document exists, is readable and has the expected format."

    reason: str


class GraphError(PlatformError):
    """A graph of steps is wrong, or failed while it ran; an interrupt is not one."""

    code = "GRAPH_ERROR"
    template = "graph error: {reason}"
    remedy = "Check the nodes and edges the reason names."

    reason: str


class RetrieverError(PlatformError):
    """Documents could not be retrieved."""

    code = "RETRIEVER_ERROR"
    retriable = True
    template = "retriever error: {reason}"
    remedy = "Check the index behind the retriever."

    reason: str
