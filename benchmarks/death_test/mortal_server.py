"""``stormproof`` as it is, save that its engine's process dies of poison.

python -m death_test.mortal_server serve --port 0
"""

from functools import partial
from unittest.mock import patch

from stormproof.cli import main
from stormproof.engine.supervised.supervisor import Supervisor

if __name__ == "__main__":
    supervisor = partial(Supervisor, factory="death_test.poison:mortal_core")
    with patch("stormproof.engine.async_llm.Supervisor", supervisor):
        main()
