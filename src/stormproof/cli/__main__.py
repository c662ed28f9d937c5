"""``python -m stormproof.cli`` is the ``stormproof`` command."""

from stormproof.cli import main

main()
