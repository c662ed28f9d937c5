"""What the caller must change: never retriable, always a 4xx."""

from collections.abc import Sequence
from enum import Enum
from typing import TypedDict

from stormproof.errors.fields import Internal
from stormproof.errors.root import StormproofError
from stormproof.errors.taxonomy import Category, Severity


class FieldProblem(TypedDict):
    """One thing that is wrong with one field of an input.

    Attributes:
        field: Where, as a dotted path: ``messages.0.role``.
        message: What is wrong, for people.
        type: What is wrong, for programs: ``missing``, ``greater_than_equal`` …
    """

    field: str
    message: str
    type: str


class ClientError(StormproofError):
    """The caller must change something; the same call will fail again."""

    code = "CLIENT_ERROR"
    http_status = 400
    category = Category.CLIENT
    severity = Severity.INFO
    template = "the request cannot be served as it is"
    remedy = "Change the request; sending it again unchanged will fail again."


# 400: the request cannot be understood, or breaks the schema of the API.


class InvalidRequest(ClientError):
    """The request cannot be understood or breaks the API's own schema."""

    code = "INVALID_REQUEST"
    template = "invalid request: {reason}"
    remedy = "Correct the fields listed in details.errors, or the JSON itself, and send it again."

    reason: str
    param: str | None = None
    errors: Sequence[FieldProblem] = ()


class ContextTooLong(InvalidRequest):
    """The prompt and the tokens asked for can never fit the model or its cache."""

    code = "CONTEXT_TOO_LONG"
    template = (
        "{prompt_tokens} prompt tokens and {max_tokens} new tokens are asked for;"
        " prompt and answer together may have {limit}"
    )
    remedy = "Shorten the prompt, lower max_tokens, or use a model with a longer context."

    reason: str = "the prompt is too long"
    prompt_tokens: int
    max_tokens: int
    limit: int


class CostTooHigh(InvalidRequest):
    """The call needs more of a limited rate than there ever is at once."""

    code = "COST_TOO_HIGH"
    template = "the call costs {cost:g}, and the limit {limit!r} never has more than {most:g}"
    remedy = "Make the call smaller, or raise the limit: no waiting helps."

    reason: str = "the call is too large for its rate limit"
    limit: str
    cost: float
    most: float


class InvalidInput(ClientError):
    """A guard in front of the model refused the input."""

    code = "INVALID_INPUT"
    template = "invalid input: {reason}"
    remedy = "Read the reason; the text itself has to change."

    reason: str


class PiiDetected(ClientError):
    """The input holds personal data that may not reach a model."""

    code = "PII_DETECTED"
    template = "PII detected: {pattern}"
    remedy = "Remove the personal data, or ask for redaction instead of blocking."

    pattern: str
    param: str | None = None


class PromptError(ClientError):
    """A prompt template lacks a variable or does not parse."""

    code = "PROMPT_ERROR"
    template = "prompt error: {reason}"
    remedy = "Give every variable that the template names, and check its syntax."

    reason: str


# 401, 403: who is asking.


class Unauthorized(ClientError):
    """No valid credentials came with the request."""

    code = "UNAUTHORIZED"
    http_status = 401
    severity = Severity.WARNING
    template = "authentication required: {reason}"
    remedy = "Send a valid API key as 'Authorization: Bearer …'."

    reason: str = "no valid credentials"


class PermissionDenied(ClientError):
    """The caller is known and may not do this."""

    code = "PERMISSION_DENIED"
    http_status = 403
    severity = Severity.WARNING
    template = "{user} may not {operation}"
    remedy = "Ask an administrator for the role that allows the operation."

    user: str = "this caller"
    operation: str = "do this"
    reason: str | None = None


# 404: what is not there.


class NotFound(ClientError):
    """What was asked for does not exist."""

    http_status = 404
    template = "not found"


class EntryNotFound(NotFound):
    """No configuration entry under this namespace, key and environment."""

    code = "NOT_FOUND"
    template = "no entry {namespace}:{key} in {env}"
    remedy = "Check the namespace, key and environment; list the namespace to see what it holds."

    namespace: str
    key: str
    env: str


class VersionNotFound(NotFound):
    """The entry exists, this version of it does not."""

    code = "VERSION_NOT_FOUND"
    template = "no version {version}"
    remedy = "Read the entry's history for the versions there are."

    version: int


class RouteNotFound(NotFound):
    """The address names no route of this server."""

    code = "ROUTE_NOT_FOUND"
    template = "no route {path}"
    remedy = "Check the path; /docs lists every route."

    path: str


class ModelNotFound(NotFound):
    """No model of this name is served here."""

    code = "MODEL_NOT_FOUND"
    template = "no model {model!r}; available: {available}"
    remedy = "Use one of the names in details.available."

    model: str
    available: Sequence[str] = ()

    def describe(self) -> str:
        """Name the model, and those there are if they are known."""
        known = f"; available: {', '.join(self.available)}" if self.available else ""
        return f"no model {self.model!r}{known}"


class SequenceNotFound(NotFound):
    """The sequence has finished or never was."""

    code = "SEQUENCE_NOT_FOUND"
    template = "sequence {seq_id} not found"
    remedy = "Do not use a sequence after its last output."

    seq_id: str | int


class TaskNotFound(NotFound):
    """No task has this id."""

    code = "TASK_NOT_FOUND"
    template = "task {task_id} not found"
    remedy = "Check the id; finished tasks are kept for a limited time."

    task_id: str


class UserNotFound(NotFound):
    """No user has this name."""

    code = "USER_NOT_FOUND"
    template = "no user {user!r}"
    remedy = "Create the user first."

    user: str


class KeyNotFound(NotFound):
    """No API key has this name."""

    code = "KEY_NOT_FOUND"
    template = "no key {name!r}"
    remedy = "'stormproof key list' shows the names of all keys."

    name: str


class RoleNotFound(NotFound):
    """No role has this name."""

    code = "ROLE_NOT_FOUND"
    template = "no role {role!r}"
    remedy = "List the roles, or create this one first."

    role: str


class ToolNotFound(NotFound):
    """The model asked for a tool that is not registered."""

    code = "TOOL_NOT_FOUND"
    template = "no tool {name!r}"
    remedy = "Register the tool, or tell the model which tools there are."

    name: str


class ChunkNotFound(NotFound):
    """A piece of a model's weights is not in the store."""

    code = "CHUNK_NOT_FOUND"
    severity = Severity.ERROR
    template = "no chunk {chunk}"
    remedy = "Verify the store against its manifest, and pull what is missing."

    chunk: str


class CacheMiss(NotFound):
    """The cache does not hold the key: fall through to what it caches."""

    code = "CACHE_MISS"
    severity = Severity.DEBUG
    template = "{key!r} is not in the cache"
    remedy = "Read from the storage behind the cache."

    key: str


# 405, 409, 413, 415: the shape of the exchange.


class MethodNotAllowed(ClientError):
    """The route exists and does not know this method."""

    code = "METHOD_NOT_ALLOWED"
    http_status = 405
    template = "{method} is not allowed here; allowed: {allowed}"
    remedy = "Use one of the methods in details.allowed."

    method: str
    allowed: Sequence[str]


class Conflict(ClientError):
    """Someone else changed it first, or it already exists."""

    code = "CONFLICT"
    http_status = 409
    template = "conflict: {reason}"
    remedy = "Read the current version, apply the change to it, and try again."

    reason: str
    expected: int | None = None
    actual: int | None = None


class InvalidStateTransition(ClientError):
    """A state machine was asked for a step it does not have."""

    code = "INVALID_STATE_TRANSITION"
    http_status = 409
    severity = Severity.ERROR
    template = "invalid state transition: {from_state} -> {to_state}"
    remedy = "Read the current state first; only the transitions in the docs exist."

    from_state: Enum | str
    to_state: Enum | str


class PayloadTooLarge(ClientError):
    """The body is larger than this server accepts."""

    code = "PAYLOAD_TOO_LARGE"
    http_status = 413
    template = "the body is too large"
    remedy = "Send less, or raise max_body_bytes on the server."

    limit: int | None = None

    def describe(self) -> str:
        """Name the limit, if it is known."""
        return super().describe() + (f": at most {self.limit} bytes" if self.limit else "")


class UnsupportedMediaType(ClientError):
    """The body is of a type this route does not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    http_status = 415
    template = "{media_type!r} cannot be read here; send {expected}"
    remedy = "Set the content-type header to the expected type."

    media_type: str
    expected: str = "application/json"


# 422: a value breaks a rule of the domain.


class ValidationError(ClientError):
    """A value breaks a rule of its domain."""

    code = "VALIDATION_ERROR"
    http_status = 422
    template = "{reason}"
    remedy = "Correct the value; details say which field and which rule."

    reason: str
    field: str | None = None

    def describe(self) -> str:
        """Put the field in front of the reason, if there is one."""
        what = super().describe()
        return f"{self.field}: {what}" if self.field else what


class ValidationErrors(ValidationError):
    """Several values break rules; all of them are listed."""

    code = "VALIDATION_ERRORS"
    remedy = "Correct every field in details.errors; the list is complete."

    errors: Sequence[FieldProblem]
    reason: str = "validation failed"

    def describe(self) -> str:
        """Count the problems and name them all."""
        # A problem of the whole has no field.
        named = (filter(None, (error["field"], error["message"])) for error in self.errors)
        listed = "; ".join(map(": ".join, named))
        noun = "error" if len(self.errors) == 1 else "errors"
        return f"{self.reason} with {len(self.errors)} {noun}: {listed}"


class InvalidNamespace(ValidationError):
    """The namespace is not a path of valid names."""

    code = "INVALID_NAMESPACE"
    template = "{namespace!r} is not a namespace: {reason}"
    remedy = "Use names joined by slashes, such as app/llm."

    namespace: str
    reason: str = "bad format"


class InvalidKey(ValidationError):
    """The key has characters or a length that keys may not have."""

    code = "INVALID_KEY"
    template = "{key!r} is not a key: {reason}"
    remedy = "Use letters, digits, and . _ - only."

    key: str
    reason: str = "bad format"


class InvalidValue(ValidationError):
    """The value does not have the type or form that its key demands."""

    code = "INVALID_VALUE"
    template = "bad value: {reason}"
    remedy = "Give a value of the type and range that the schema of the key asks for."

    reason: str = "bad format"
    value: Internal[str | None] = None


class InvalidRole(ValidationError):
    """The role is not one that can be given."""

    code = "INVALID_ROLE"
    template = "{role!r} is not a role: {reason}"
    remedy = "Use one of the defined roles."

    role: str
    reason: str = "unknown"


class InvalidScope(ValidationError):
    """The scope of a permission does not parse."""

    code = "INVALID_SCOPE"
    template = "{scope!r} is not a scope: {reason}"
    remedy = "Name a namespace, or a prefix of one."

    scope: str
    reason: str = "bad format"


class InvalidEncryptionKey(ValidationError):
    """The encryption key has the wrong length or encoding."""

    code = "INVALID_ENCRYPTION_KEY"
    severity = Severity.ERROR
    template = "bad encryption key: {reason}"
    remedy = "Generate a key with the command line, and check how it was copied."

    reason: str


class InvalidAlgorithm(ValidationError):
    """The encryption algorithm is not known."""

    code = "INVALID_ALGORITHM"
    template = "unknown algorithm {name!r}"
    remedy = "Use one of the supported algorithms."

    name: str
    reason: str = "unknown"


class InvalidQuery(ValidationError):
    """A query of the audit trail does not make sense."""

    code = "INVALID_QUERY"
    template = "bad query: {reason}"
    remedy = "Check the filters against the reference."

    reason: str


class InvalidTimeRange(ValidationError):
    """A time range ends before it starts, or is too wide."""

    code = "INVALID_TIME_RANGE"
    template = "bad time range: {reason}"
    remedy = "Give a start before the end, both with a time zone."

    reason: str


class SplitterError(ValidationError):
    """A text cannot be split as asked."""

    code = "SPLITTER_ERROR"
    template = "splitter error: {reason}"
    remedy = "Give a chunk size larger than the overlap, and separators that occur."

    reason: str


class MaxStepsExceeded(ClientError):
    """An agent's loop passed the limit it was given."""

    code = "MAX_STEPS_EXCEEDED"
    http_status = 422
    severity = Severity.WARNING
    template = "max steps exceeded: {max_steps}"
    remedy = "Raise the limit, or make the task smaller."

    max_steps: int
