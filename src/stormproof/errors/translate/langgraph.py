"""langgraph: an interrupt is a value on its way up, not an error."""

import re
from typing import Any, Final

from stormproof.errors.client_errors import InvalidRequest, MaxStepsExceeded
from stormproof.errors.external_errors import ThirdPartyError, ToolError
from stormproof.errors.platform_errors import DeadlineExceeded, GraphError
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Maker, Table, control_flow
from stormproof.errors.translate.reading import identifier, message, read, seconds

_LIMIT: Final = re.compile(r"\b[Ll]imit of (\d{1,9})\b")


def _too_many_steps(exc: Any) -> StormproofError:
    limit = _LIMIT.search(message(exc) or "")
    if limit:
        return MaxStepsExceeded(max_steps=int(limit[1]))
    return GraphError(reason="the limit of steps is reached")


def _node_timed_out(exc: Any) -> StormproofError:
    node, timeout = identifier(read(exc, "node")), seconds(read(exc, "timeout"))
    return DeadlineExceeded(operation=f"node {node}" if node else "a node", timeout=timeout)


def _bad_arguments(exc: Any) -> StormproofError:
    return ToolError(
        reason="the arguments do not fit the tool", tool=identifier(read(exc, "tool_name"))
    )


def _graph(reason: str) -> Maker:
    return lambda _: GraphError(reason=reason)


def _request(reason: str) -> Maker:
    return lambda _: InvalidRequest(reason=reason)


def _remote_failed(_exc: Any) -> StormproofError:
    return ThirdPartyError(service="a remote graph")


TABLE: Final[Table] = {
    "langgraph.GraphBubbleUp": control_flow,
    "langgraph.GraphDrained": control_flow,
    "langgraph.GraphInterrupt": control_flow,
    "langgraph.NodeInterrupt": control_flow,
    "langgraph.ParentCommand": control_flow,
    "langgraph.EmptyChannelError": _graph("a channel is read before it is written"),
    "langgraph.EmptyInputError": _request("the graph was given no input"),
    "langgraph.GraphRecursionError": _too_many_steps,
    "langgraph.InvalidUpdateError": _graph("a node wrote what its channel cannot take"),
    "langgraph.NodeCancelledError": _graph("a node cancelled itself"),
    "langgraph.NodeTimeoutError": _node_timed_out,
    "langgraph.RemoteException": _remote_failed,
    "langgraph.TaskNotFound": _graph("a task is not there"),
    "langgraph.ToolInvocationError": _bad_arguments,
    "langgraph.UnknownInterruptError": _request("no such interrupt is waiting for an answer"),
}
