"""What failed: one tree, stable codes, one wire form, translation.

The tree, each leaf with its code and HTTP status:

    StormproofError
    ├── ClientError                         CLIENT_ERROR 400
    │   ├── InvalidRequest                  INVALID_REQUEST 400
    │   │   ├── ContextTooLong              CONTEXT_TOO_LONG 400
    │   │   └── CostTooHigh                 COST_TOO_HIGH 400
    │   ├── InvalidInput                    INVALID_INPUT 400
    │   ├── PiiDetected                     PII_DETECTED 400
    │   ├── PromptError                     PROMPT_ERROR 400
    │   ├── Unauthorized                    UNAUTHORIZED 401
    │   ├── PermissionDenied                PERMISSION_DENIED 403
    │   ├── NotFound
    │   │   ├── EntryNotFound               NOT_FOUND 404
    │   │   ├── VersionNotFound             VERSION_NOT_FOUND 404
    │   │   ├── RouteNotFound               ROUTE_NOT_FOUND 404
    │   │   ├── ModelNotFound               MODEL_NOT_FOUND 404
    │   │   ├── SequenceNotFound            SEQUENCE_NOT_FOUND 404
    │   │   ├── TaskNotFound                TASK_NOT_FOUND 404
    │   │   ├── UserNotFound                USER_NOT_FOUND 404
    │   │   ├── KeyNotFound                 KEY_NOT_FOUND 404
    │   │   ├── RoleNotFound                ROLE_NOT_FOUND 404
    │   │   ├── ToolNotFound                TOOL_NOT_FOUND 404
    │   │   ├── ChunkNotFound               CHUNK_NOT_FOUND 404
    │   │   └── CacheMiss                   CACHE_MISS 404
    │   ├── MethodNotAllowed                METHOD_NOT_ALLOWED 405
    │   ├── Conflict                        CONFLICT 409
    │   ├── InvalidStateTransition          INVALID_STATE_TRANSITION 409
    │   ├── PayloadTooLarge                 PAYLOAD_TOO_LARGE 413
    │   ├── UnsupportedMediaType            UNSUPPORTED_MEDIA_TYPE 415
    │   ├── ValidationError                 VALIDATION_ERROR 422
    │   │   ├── ValidationErrors            VALIDATION_ERRORS 422
    │   │   ├── InvalidNamespace            INVALID_NAMESPACE 422
    │   │   ├── InvalidKey                  INVALID_KEY 422
    │   │   ├── InvalidValue                INVALID_VALUE 422
    │   │   ├── InvalidRole                 INVALID_ROLE 422
    │   │   ├── InvalidScope                INVALID_SCOPE 422
    │   │   ├── InvalidEncryptionKey        INVALID_ENCRYPTION_KEY 422
    │   │   ├── InvalidAlgorithm            INVALID_ALGORITHM 422
    │   │   ├── InvalidQuery                INVALID_QUERY 422
    │   │   ├── InvalidTimeRange            INVALID_TIME_RANGE 422
    │   │   └── SplitterError               SPLITTER_ERROR 422
    │   └── MaxStepsExceeded                MAX_STEPS_EXCEEDED 422
    ├── ResourceError                       RESOURCE_ERROR 503
    │   ├── OutOfBlocks                     OUT_OF_BLOCKS 503
    │   ├── CapacityExceeded                CAPACITY_EXCEEDED 503
    │   ├── ArmUnavailable                  ARM_UNAVAILABLE 503
    │   ├── RateLimitExceeded               RATE_LIMIT_EXCEEDED 429
    │   ├── QuotaExhausted                  QUOTA_EXHAUSTED 429
    │   ├── BudgetExceeded                  BUDGET_EXCEEDED 429
    │   ├── ServiceUnavailable              SERVICE_UNAVAILABLE 503
    │   │   └── CircuitOpen                 CIRCUIT_OPEN 503
    │   ├── DiskFull                        DISK_FULL 507
    │   └── OutOfMemory                     OUT_OF_MEMORY 503
    ├── PlatformError                       PLATFORM_ERROR 500
    │   ├── InternalError                   INTERNAL_ERROR 500
    │   ├── ConfigurationError              CONFIGURATION_ERROR 500
    │   ├── DeadlineExceeded                TIMEOUT_ERROR 504
    │   ├── StorageError                    STORAGE_ERROR 500
    │   │   └── StorageRefused              STORAGE_REFUSED 500
    │   ├── DatabaseError                   DATABASE_ERROR 503
    │   ├── CacheError                      CACHE_ERROR 500
    │   ├── SerializationError              SERIALIZATION_ERROR 500
    │   ├── EncryptionError                 ENCRYPTION_ERROR 500
    │   ├── DecryptionError                 DECRYPTION_ERROR 500
    │   ├── ModelError                      MODEL_ERROR 500
    │   │   ├── ModelLoadError              MODEL_LOAD_ERROR 500
    │   │   ├── TensorError                 TENSOR_ERROR 500
    │   │   └── TokenizationError           TOKENIZATION_ERROR 500
    │   ├── PoisonedRequest                 POISONED_REQUEST 500
    │   ├── MemoryStoreError                MEMORY_STORE_ERROR 500
    │   ├── CallbackError                   CALLBACK_ERROR 500
    │   ├── LoaderError                     LOADER_ERROR 500
    │   ├── GraphError                      GRAPH_ERROR 500
    │   └── RetrieverError                  RETRIEVER_ERROR 500
    └── ExternalError                       EXTERNAL_ERROR 502
        ├── ProviderError                   LLM_API_ERROR 502
        │   ├── ProviderOverloaded          PROVIDER_OVERLOADED 503
        │   ├── ProviderUnauthorized        PROVIDER_UNAUTHORIZED 502
        │   └── ProviderRefused             PROVIDER_REFUSED 502
        ├── PartialOutput                   PARTIAL_OUTPUT 502
        │   └── PartialOutputFinal          PARTIAL_OUTPUT_FINAL 502
        ├── ParsingError                    PARSING_ERROR 502
        ├── ResultRejected                  RESULT_REJECTED 502
        ├── NetworkError                    NETWORK_ERROR 502
        │   ├── ConnectionLost              CONNECTION_LOST 502
        │   ├── ProtocolError               PROTOCOL_ERROR 502
        │   ├── StreamStalled               STREAM_STALLED 502
        │   └── UntrustedPeer               UNTRUSTED_PEER 502
        ├── WeightServerError               WEIGHT_SERVER_ERROR 502
        ├── IntegrityError                  INTEGRITY_ERROR 502
        ├── VectorStoreError                VECTOR_STORE_ERROR 502
        ├── EmbeddingError                  EMBEDDING_ERROR 502
        ├── ToolError                       TOOL_ERROR 502
        └── ThirdPartyError                 THIRD_PARTY_ERROR 502
            └── ThirdPartyRefused           THIRD_PARTY_REFUSED 502
"""

from stormproof.errors.client_errors import (
    CacheMiss,
    ChunkNotFound,
    ClientError,
    Conflict,
    ContextTooLong,
    CostTooHigh,
    EntryNotFound,
    FieldProblem,
    InvalidAlgorithm,
    InvalidEncryptionKey,
    InvalidInput,
    InvalidKey,
    InvalidNamespace,
    InvalidQuery,
    InvalidRequest,
    InvalidRole,
    InvalidScope,
    InvalidStateTransition,
    InvalidTimeRange,
    InvalidValue,
    KeyNotFound,
    MaxStepsExceeded,
    MethodNotAllowed,
    ModelNotFound,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    PiiDetected,
    PromptError,
    RoleNotFound,
    RouteNotFound,
    SequenceNotFound,
    SplitterError,
    TaskNotFound,
    ToolNotFound,
    Unauthorized,
    UnsupportedMediaType,
    UserNotFound,
    ValidationError,
    ValidationErrors,
    VersionNotFound,
)
from stormproof.errors.decoding import from_wire
from stormproof.errors.external_errors import (
    ConnectionLost,
    EmbeddingError,
    ExternalError,
    IntegrityError,
    NetworkError,
    ParsingError,
    PartialOutput,
    PartialOutputFinal,
    ProtocolError,
    ProviderError,
    ProviderOverloaded,
    ProviderRefused,
    ProviderUnauthorized,
    ResultRejected,
    StreamStalled,
    ThirdPartyError,
    ThirdPartyRefused,
    ToolError,
    UntrustedPeer,
    VectorStoreError,
    WeightServerError,
)
from stormproof.errors.fields import Internal
from stormproof.errors.foreign_cause import ForeignCause
from stormproof.errors.platform_errors import (
    CacheError,
    CallbackError,
    ConfigurationError,
    DatabaseError,
    DeadlineExceeded,
    DecryptionError,
    EncryptionError,
    GraphError,
    InternalError,
    LoaderError,
    MemoryStoreError,
    ModelError,
    ModelLoadError,
    PlatformError,
    PoisonedRequest,
    RetrieverError,
    SerializationError,
    StorageError,
    StorageRefused,
    TensorError,
    TokenizationError,
)
from stormproof.errors.problems import Problems
from stormproof.errors.redaction import redact
from stormproof.errors.resource_errors import (
    ArmUnavailable,
    BudgetExceeded,
    CapacityExceeded,
    CircuitOpen,
    DiskFull,
    OutOfBlocks,
    OutOfMemory,
    QuotaExhausted,
    RateLimitExceeded,
    ResourceError,
    ServiceUnavailable,
)
from stormproof.errors.retry_after import (
    format_retry_after,
    parse_retry_after,
)
from stormproof.errors.root import StormproofError
from stormproof.errors.taxonomy import (
    Category,
    Severity,
)
from stormproof.errors.translate import is_bug, provider_error, translate
from stormproof.errors.tree import known_errors
from stormproof.errors.wire import (
    http_headers,
    to_problem,
    to_wire,
)

__all__ = [
    "ArmUnavailable",
    "BudgetExceeded",
    "CacheError",
    "CacheMiss",
    "CallbackError",
    "CapacityExceeded",
    "Category",
    "ChunkNotFound",
    "CircuitOpen",
    "ClientError",
    "ConfigurationError",
    "Conflict",
    "ConnectionLost",
    "ContextTooLong",
    "CostTooHigh",
    "DatabaseError",
    "DeadlineExceeded",
    "DecryptionError",
    "DiskFull",
    "EmbeddingError",
    "EncryptionError",
    "EntryNotFound",
    "ExternalError",
    "FieldProblem",
    "ForeignCause",
    "GraphError",
    "IntegrityError",
    "Internal",
    "InternalError",
    "InvalidAlgorithm",
    "InvalidEncryptionKey",
    "InvalidInput",
    "InvalidKey",
    "InvalidNamespace",
    "InvalidQuery",
    "InvalidRequest",
    "InvalidRole",
    "InvalidScope",
    "InvalidStateTransition",
    "InvalidTimeRange",
    "InvalidValue",
    "KeyNotFound",
    "LoaderError",
    "MaxStepsExceeded",
    "MemoryStoreError",
    "MethodNotAllowed",
    "ModelError",
    "ModelLoadError",
    "ModelNotFound",
    "NetworkError",
    "NotFound",
    "OutOfBlocks",
    "OutOfMemory",
    "ParsingError",
    "PartialOutput",
    "PartialOutputFinal",
    "PayloadTooLarge",
    "PermissionDenied",
    "PiiDetected",
    "PlatformError",
    "PoisonedRequest",
    "Problems",
    "PromptError",
    "ProtocolError",
    "ProviderError",
    "ProviderOverloaded",
    "ProviderRefused",
    "ProviderUnauthorized",
    "QuotaExhausted",
    "RateLimitExceeded",
    "ResourceError",
    "ResultRejected",
    "RetrieverError",
    "RoleNotFound",
    "RouteNotFound",
    "SequenceNotFound",
    "SerializationError",
    "ServiceUnavailable",
    "Severity",
    "SplitterError",
    "StorageError",
    "StorageRefused",
    "StormproofError",
    "StreamStalled",
    "TaskNotFound",
    "TensorError",
    "ThirdPartyError",
    "ThirdPartyRefused",
    "TokenizationError",
    "ToolError",
    "ToolNotFound",
    "Unauthorized",
    "UnsupportedMediaType",
    "UntrustedPeer",
    "UserNotFound",
    "ValidationError",
    "ValidationErrors",
    "VectorStoreError",
    "VersionNotFound",
    "WeightServerError",
    "format_retry_after",
    "from_wire",
    "http_headers",
    "is_bug",
    "known_errors",
    "parse_retry_after",
    "provider_error",
    "redact",
    "to_problem",
    "to_wire",
    "translate",
]
