"""What clients of a gateway get while its providers fail, beside the others that are installed.

    python benchmarks/gateway_faults.py [--gateways stormproof,litellm]

Each fault happens to a model of its own, whose first target fails and whose second is healthy, so
that what a gateway remembers of one says nothing about the next. The table is written beside this
file; a run of some gateways alone is only printed. It takes some minutes: some gateways wait long.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Final

from engine_peers.readme import markdown_table, write_section
from gateway_peers import NAMES, installed
from gateway_peers.gateway import Gateway, Model
from gateway_peers.ordeal import Ordeal, offered, undergo
from gateway_peers.upstream import Upstream
from stormproof.testing.provider import FAULTS, Answer

HEALTHY: Final = "healthy"


def put_through(gateway: Gateway) -> list[Ordeal]:
    """Put a gateway through all faults.

    Raises:
        RuntimeError: It does not start.
    """
    with Upstream() as upstream:
        healthy = Model(HEALTHY, (upstream.script(HEALTHY, Answer()),))
        models = [offered(fault, upstream) for fault in FAULTS]
        try:
            gateway.start([healthy, *models], cores=())
            return [
                undergo(gateway, fault, model, upstream)
                for fault, model in zip(FAULTS, models, strict=True)
            ]
        finally:
            gateway.stop()


def table(columns: Mapping[str, Sequence[Ordeal]]) -> str:
    """Return one line a fault, one column a gateway."""
    lines = [
        [fault.title, *(ordeals[place].cell for ordeals in columns.values())]
        for place, fault in enumerate(FAULTS)
    ]
    stood = [sum(not ordeal.wrong for ordeal in ordeals) for ordeals in columns.values()]
    total = ["**withstood**", *(f"{count} of {len(FAULTS)}" for count in stood)]
    return markdown_table(len(columns) + 1, ["", *columns], [*lines, total])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--gateways", default=",".join(NAMES), help="(%(default)s)")
    names = arguments.parse_args().gateways.split(",")
    gateways, missing = installed(names)
    columns = {}
    for gateway in gateways:
        if gateway.recovers:
            try:
                columns[gateway.name] = put_through(gateway)
            except RuntimeError as error:
                missing.append(str(error))
    text = table(columns)
    text += f"\n\nLeft out: {'; '.join(missing) or 'none'}."
    print(text)
    if names == list(NAMES):
        write_section("gateway faults", text)


if __name__ == "__main__":
    main()
