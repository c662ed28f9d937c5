"""langgraph's exceptions, raised by real graphs."""

from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from langgraph.errors import (
    GraphBubbleUp,
    GraphDrained,
    GraphInterrupt,
    NodeTimeoutError,
    ParentCommand,
)
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from stormproof.errors import (
    DeadlineExceeded,
    GraphError,
    InvalidRequest,
    MaxStepsExceeded,
    StormproofError,
    translate,
)

Caught = Callable[[Callable[[], object]], StormproofError]


class State(TypedDict):
    x: int


def test_a_loop_without_end_passes_its_limit_of_steps(caught: Caught) -> None:
    """The limit is kept."""
    graph: Any = StateGraph(State)
    graph.add_node("again", lambda state: state)
    graph.add_edge(START, "again")
    graph.add_edge("again", "again")
    error = caught(lambda: graph.compile().invoke({"x": 1}, {"recursion_limit": 7}))
    assert isinstance(error, MaxStepsExceeded)
    assert error.max_steps == 7


def test_two_nodes_that_write_one_channel_at_once_are_a_graph_error(caught: Caught) -> None:
    """The graph is wrong, not its input."""
    graph: Any = StateGraph(State)
    for name in ("left", "right"):
        graph.add_node(name, lambda _: {"x": 2})
        graph.add_edge(START, name)
        graph.add_edge(name, END)
    assert type(caught(lambda: graph.compile().invoke({"x": 1}))) is GraphError


def test_no_input_is_the_callers(caught: Caught) -> None:
    """There is nothing to begin with."""
    graph: Any = StateGraph(State)
    graph.add_node("only", lambda state: state)
    graph.add_edge(START, "only")
    assert type(caught(lambda: graph.compile().invoke(None))) is InvalidRequest


def test_a_node_that_takes_too_long_says_which_and_how_long() -> None:
    """As far as the exception tells."""
    error = translate(NodeTimeoutError("fetch", 2.5, kind="run", run_timeout=2.0))
    assert isinstance(error, DeadlineExceeded)
    assert str(error) == "node fetch timed out after 2s"


@pytest.mark.parametrize(
    "signal",
    [
        GraphBubbleUp(),
        GraphInterrupt(),
        GraphDrained(),
        ParentCommand(Command(goto="x")),
        type("Ours", (GraphInterrupt,), {})(),
    ],
    ids=lambda signal: type(signal).__name__,
)
def test_an_interrupt_passes_through(signal: Exception) -> None:
    """It is a value on its way up; swallowing it would answer a question nobody was asked."""
    with pytest.raises(GraphBubbleUp) as raised:
        translate(signal)
    assert raised.value is signal
