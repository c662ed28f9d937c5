"""Someone else's service failed."""

from typing import Any, Self

from stormproof.errors.fields import Internal
from stormproof.errors.root import StormproofError
from stormproof.errors.taxonomy import Category, Severity


class ExternalError(StormproofError):
    """Someone else's service failed."""

    code = "EXTERNAL_ERROR"
    http_status = 502
    category = Category.EXTERNAL
    retriable = True
    template = "an external service failed"
    remedy = "Try again, or use another service."


class ProviderError(ExternalError):
    """A model provider failed, or answered with something that is no answer."""

    code = "LLM_API_ERROR"
    template = "{provider} API error"
    remedy = "Try again or fail over; the provider's status page may know more."

    provider: str
    status_code: int | None = None
    error_message: str | None = None

    def describe(self) -> str:
        """Add what the provider said."""
        return f"{super().describe()}: {self.error_message or 'unknown error'}"


class ProviderOverloaded(ProviderError):
    """A provider has no capacity for anyone just now."""

    code = "PROVIDER_OVERLOADED"
    http_status = 503
    severity = Severity.WARNING
    remedy = "Fail over, or wait for retry_after seconds."


class ProviderUnauthorized(ProviderError):
    """A provider refused our own credentials."""

    code = "PROVIDER_UNAUTHORIZED"
    severity = Severity.CRITICAL
    retriable = False
    remedy = "Whoever runs this must give a valid key for the provider, or enable the model on it."


class ProviderRefused(ProviderError):
    """A provider declined to answer this content."""

    code = "PROVIDER_REFUSED"
    severity = Severity.INFO
    retriable = False
    remedy = "Change the prompt; the provider's content policy stopped it."


class PartialOutput(ExternalError):
    """A stream broke after it had delivered something, for a reason that may pass."""

    __slots__ = ("_delivered",)  # out of what pickles and travels: it is a model's output

    code = "PARTIAL_OUTPUT"
    template = "the stream broke after item {count}"
    remedy = "Go on from what was delivered, or begin again; the cause says what broke it."

    count: int

    @property
    def delivered(self) -> tuple[Any, ...]:
        """The items, from the first one on: all ``count`` of them, or as many as were kept.

        They are in no message and no wire form, and are not pickled: an error that comes from
        another process has none.
        """
        return getattr(self, "_delivered", ())

    @delivered.setter
    def delivered(self, items: tuple[Any, ...]) -> None:
        self._delivered = items

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.delivered = self.delivered
        return copied


class PartialOutputFinal(PartialOutput):
    """A stream broke after it had delivered something, for a reason that will not pass."""

    code = "PARTIAL_OUTPUT_FINAL"
    retriable = False
    remedy = "Use what was delivered, or change what the cause names; the same call breaks again."


class ParsingError(ExternalError):
    """A model's output does not hold the structure that was asked for."""

    code = "PARSING_ERROR"
    severity = Severity.WARNING
    template = "parsing error: {reason}"
    remedy = "Ask again, show the model what was wrong, or use structured output."

    reason: str


class ResultRejected(ExternalError):
    """A call returned what its caller will not take for an answer."""

    __slots__ = ("_result",)  # out of what pickles and travels: it may be a model's output

    code = "RESULT_REJECTED"
    severity = Severity.WARNING
    template = "the result was rejected"
    remedy = "Look at what was returned, and at the rule that it broke."

    @property
    def result(self) -> Any:
        """What the call returned.

        It is in no message and no wire form, and is not pickled: an error that comes from another
        process has None.
        """
        return getattr(self, "_result", None)

    @result.setter
    def result(self, returned: object) -> None:
        self._result = returned

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.result = self.result
        return copied


class NetworkError(ExternalError):
    """A network connection could not be made or did not hold."""

    code = "NETWORK_ERROR"
    severity = Severity.WARNING
    template = "network error: {reason}"
    remedy = "Check the address, DNS, proxy and firewall; then try again."

    reason: str


class ConnectionLost(NetworkError):
    """A connection that stood was cut."""

    code = "CONNECTION_LOST"
    template = "connection lost: {reason}"
    remedy = "Connect again; what was not acknowledged must be sent again."

    reason: str = "closed by the other side"


class ProtocolError(NetworkError):
    """A peer broke the protocol: not HTTP, not WebSocket, not what was agreed."""

    code = "PROTOCOL_ERROR"
    severity = Severity.ERROR
    template = "protocol error: {reason}"
    remedy = "Check that the address is the right service and no proxy rewrites the traffic."


class StreamStalled(NetworkError):
    """A stream stands, and nothing comes."""

    code = "STREAM_STALLED"
    template = "the stream stalled: nothing came for {seconds:g}s"
    remedy = "Connect again, from what was delivered; or allow more time between two items."

    seconds: float
    reason: str = "nothing came"


class UntrustedPeer(NetworkError):
    """The other side could not prove who it is."""

    code = "UNTRUSTED_PEER"
    severity = Severity.CRITICAL
    retriable = False
    remedy = "Check the address and the certificates that this machine trusts; nothing was sent."

    reason: str = "the certificate is not trusted"


class WeightServerError(ExternalError):
    """A weight server is unreachable or broken."""

    code = "WEIGHT_SERVER_ERROR"
    template = "weight server error: {reason}"
    remedy = "Check the server's health route, or use another source of the weights."

    reason: str


class IntegrityError(ExternalError):
    """Bytes arrived that are not the bytes that were promised."""

    code = "INTEGRITY_ERROR"
    severity = Severity.CRITICAL
    template = "{subject} failed its integrity check"
    remedy = "Fetch it again from a source you trust; the damaged copy was not used."

    subject: str
    expected: str | None = None
    actual: str | None = None


class VectorStoreError(ExternalError):
    """A vector database failed."""

    code = "VECTOR_STORE_ERROR"
    template = "vector store error: {reason}"
    remedy = "Check that the vector database is up and its index exists."

    reason: str = "operation failed"


class EmbeddingError(ExternalError):
    """An embedding could not be computed."""

    code = "EMBEDDING_ERROR"
    template = "embedding error: {reason}"
    remedy = "Try again, or use another embedding model; mind that their vectors differ."

    reason: str


class ToolError(ExternalError):
    """A tool that the model called failed."""

    code = "TOOL_ERROR"
    retriable = False
    template = "tool error: {reason}"
    remedy = "Correct the arguments or the tool; whether it may run twice only it can know."

    reason: str
    tool: str | None = None


class ThirdPartyError(ExternalError):
    """Some other external service failed."""

    code = "THIRD_PARTY_ERROR"
    template = "{service} failed"
    remedy = "Try again, or check the service."

    service: str = "a third party"
    status_code: int | None = None
    reason: Internal[str | None] = None


class ThirdPartyRefused(ThirdPartyError):
    """An external service understood and said no: what was asked for is not there."""

    code = "THIRD_PARTY_REFUSED"
    retriable = False
    template = "{service} refused"
    remedy = "Change the request; the service answered, and will answer the same again."
