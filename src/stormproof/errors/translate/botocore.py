"""botocore, and with it boto3 and aiobotocore: AWS and everything that speaks S3."""

from collections.abc import Mapping
from typing import Any, Final

from stormproof.errors.external_errors import (
    ConnectionLost,
    IntegrityError,
    ProtocolError,
    ProviderUnauthorized,
)
from stormproof.errors.platform_errors import (
    ConfigurationError,
    DeadlineExceeded,
    StorageRefused,
)
from stormproof.errors.resource_errors import ServiceUnavailable
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.http_status import Answer, answered
from stormproof.errors.translate.lookup import Maker, Table, bug
from stormproof.errors.translate.network_reason import network_reason, unreachable
from stormproof.errors.translate.reading import (
    header_map,
    identifier,
    integer,
    message,
    read,
)

_SERVICE: Final = "aws"

_NO_SUCH_OBJECT: Final = frozenset({"NoSuchBucket", "NoSuchKey", "NoSuchUpload", "NoSuchVersion"})

_STATUS_OF_CODE: Final[Mapping[str | None, int]] = {
    # AWS answers 400 to most of these; the code alone says what is meant.
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "BandwidthLimitExceeded": 429,
    "ExpiredToken": 401,
    "ExpiredTokenException": 401,
    "InvalidAccessKeyId": 401,
    "InvalidClientTokenId": 401,
    "LimitExceededException": 429,
    "ModelErrorException": 500,
    "ModelNotReadyException": 503,
    "ModelTimeoutException": 504,
    "PriorRequestNotComplete": 429,
    "ProvisionedThroughputExceededException": 429,
    "RequestLimitExceeded": 429,
    "RequestThrottled": 429,
    "RequestThrottledException": 429,
    "RequestTimeout": 504,
    "RequestTimeoutException": 504,
    "ServiceQuotaExceededException": 402,
    "SignatureDoesNotMatch": 401,
    "SlowDown": 429,
    "Throttling": 429,
    "ThrottledException": 429,
    "ThrottlingException": 429,
    "TooManyRequestsException": 429,
    "TransactionInProgressException": 409,
    "UnrecognizedClientException": 401,
}


def _refused(exc: Any) -> StormproofError:
    response = read(exc, "response")
    code = identifier(read(response, "Error", "Code"))
    if code in _NO_SUCH_OBJECT:
        return StorageRefused(reason="no such object or bucket")
    metadata = read(response, "ResponseMetadata")
    status = integer(read(metadata, "HTTPStatusCode"))
    return answered(
        Answer(
            _SERVICE,
            _STATUS_OF_CODE.get(code, status),
            header_map(read(metadata, "HTTPHeaders")),
            code=code,
            # What AWS says names accounts, roles and buckets.
            internal=message(exc),
            request_id=identifier(read(metadata, "RequestId")),
        )
    )


def _no_credentials(_exc: Any) -> StormproofError:
    return ProviderUnauthorized(provider=_SERVICE, error_message="no usable credentials")


def _misconfigured(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="the AWS client's configuration is wrong")


def _timed_out(operation: str) -> Maker:
    return lambda _: DeadlineExceeded(operation=operation)


def _lost(exc: Any) -> StormproofError:
    return ConnectionLost(reason=network_reason(exc, "closed by the other side"))


def _broken(reason: str) -> Maker:
    return lambda _: ProtocolError(reason=reason)


def _damaged(_exc: Any) -> StormproofError:
    return IntegrityError(subject="a response of AWS")


def _no_capacity(_exc: Any) -> StormproofError:
    return ServiceUnavailable(reason="the AWS client has used up its retries")


def _never_ready(_exc: Any) -> StormproofError:
    return DeadlineExceeded(operation="waiting for an AWS resource")


def _each(make: Maker, names: str) -> dict[str, Maker]:
    return {f"botocore.{name}": make for name in names.split()}


TABLE: Final[Table] = {
    "botocore.ClientError": _refused,
    "botocore.EventStreamError": _refused,
    # The network.
    "botocore.ConnectTimeoutError": _timed_out("connect"),
    "botocore.ReadTimeoutError": _timed_out("read"),
    "botocore.ConnectionClosedError": _lost,
    "botocore.ConnectionError": unreachable("the connection failed"),
    "botocore.EndpointConnectionError": unreachable("could not connect"),
    "botocore.HTTPClientError": unreachable("the request failed"),
    "botocore.IncompleteReadError": _lost,
    "botocore.ProxyConnectionError": unreachable("the proxy is not there"),
    "botocore.ResponseStreamingError": _lost,
    "botocore.SSLError": _broken("TLS could not be agreed"),
    # What arrived is not what was meant.
    **_each(_damaged, "ChecksumError ChecksumMismatch FlexibleChecksumError"),
    **_each(
        _broken("not an answer of AWS"),
        """BadIMDSRequestError DuplicateHeader InvalidHeadersLength InvalidPayloadLength
        NoInitialResponseError PaginationError ParserError ResponseParserError""",
    ),
    "botocore.CapacityNotAvailableError": _no_capacity,
    "botocore.WaiterError": _never_ready,
    # Who we are.
    **_each(
        _no_credentials,
        """CredentialRetrievalError LoginAuthorizationCodeError LoginError
        LoginInsufficientPermissions LoginRefreshRequired LoginTokenLoadError
        MetadataRetrievalError NoAuthTokenError NoCredentialsError PartialCredentialsError
        RefreshWithMFAUnsupportedError SSOError SSOTokenLoadError TokenRetrievalError
        UnauthorizedSSOTokenError UnknownCredentialError UnknownTokenProviderError""",
    ),
    # How we are set up.
    **_each(
        _misconfigured,
        """BaseEndpointResolverError ConfigNotFound ConfigParseError EndpointDiscoveryException
        EndpointDiscoveryRefreshFailed EndpointDiscoveryRequired EndpointProviderError
        EndpointResolutionError EndpointVariantError InfiniteLoopConfigError
        InvalidChecksumConfigError InvalidConfigError InvalidDefaultsMode InvalidDNSNameError
        InvalidEndpointConfigurationError InvalidEndpointDiscoveryConfigurationError
        InvalidHostLabelError InvalidIMDSEndpointError InvalidIMDSEndpointModeError
        InvalidMaxRetryAttemptsError InvalidProxiesConfigError InvalidRegionError
        InvalidRetryConfigurationError InvalidRetryModeError InvalidS3AddressingStyleError
        InvalidS3UsEast1RegionalEndpointConfigError InvalidSTSRegionalEndpointsConfigError
        MissingDependencyException NoRegionError ProfileNotFound ServiceNotInRegionError
        UnknownEndpointError UnknownEndpointResolutionBuiltInName UnknownFIPSEndpointError
        UnknownRegionError UnsupportedOutpostResourceError
        UnsupportedS3AccesspointConfigurationError UnsupportedS3ArnError
        UnsupportedS3ConfigurationError UnsupportedS3ControlArnError
        UnsupportedS3ControlConfigurationError""",
    ),
    # How we call it: whatever is left is a bug of the caller.
    **_each(
        bug,
        """AliasConflictParameterError ApiVersionNotFoundError AwsChunkedWrapperError BotoCoreError
        DataNotFoundError InvalidArnException InvalidExpressionError InvalidShapeError
        InvalidShapeReferenceError MD5UnavailableError MissingParametersError
        MissingServiceIdError NoShapeFoundError OperationNotFoundError OperationNotPageableError
        ParamValidationError RangeError StubAssertionError StubResponseError
        UndefinedModelAttributeError UnknownClientMethodError UnknownKeyError
        UnknownParameterError UnknownServiceError UnknownServiceStyle
        UnknownSignatureVersionError UnStubbedResponseError UnseekableStreamError
        UnsupportedServiceProtocolsError UnsupportedSignatureVersionError ValidationError
        WaiterConfigError""",
    ),
}
