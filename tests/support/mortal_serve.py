"""``stormproof`` as it is, save that its engine's process dies of what it reads.

python -m support.mortal_serve serve --model some.gguf
"""

from functools import partial
from unittest.mock import patch

from stormproof.cli import main
from stormproof.engine.supervised.supervisor import Supervisor

if __name__ == "__main__":
    supervisor = partial(Supervisor, factory="support.mortal_engine:fussy_core")
    with patch("stormproof.engine.async_llm.Supervisor", supervisor):
        main()
