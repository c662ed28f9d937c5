"""Threads that work through a step together, one of which the machine holds up."""

import subprocess
from pathlib import Path

import pytest

from stormproof.engine.native.compiler import SOURCES, CannotCompile, find_compiler

# Member 1 wakes up for a step of two phases, and stops before it has read how many there are. It
# goes on when the step is over and the next one, of six phases, has been written down.
LATE = """
#include <cstdio>

#include "crew.h"

int main() {
    int phases = 0;  // of the step
    std::atomic<uint32_t> written{0}, done{0}, returned{0};
    Crew* crew = nullptr;
    Crew own(2, [&](int member, uint32_t phase) {
        if (member) written.wait(0);
        const int mine = phases;
        if (crew->is_current(phase))
            for (int i = 0; i < mine; i++)
                crew->share(member, phase + i, 3, 1, [&](int first, int last) {
                    done += last - first;
                });
        if (member) returned = 1;
        if (member) returned.notify_all();
    });
    crew = &own;
    own.close();
    phases = 2;
    own.run();
    own.close();
    phases = 6;
    written = 1;
    written.notify_all();
    returned.wait(0);
    const uint32_t first = done;
    own.run();
    std::printf("%u %u", first, done - first);
}
"""


def test_one_that_is_late_does_nothing_of_another_step(tmp_path: Path) -> None:
    """However far the next step differs from the one that it was woken for."""
    (tmp_path / "late.cpp").write_text(LATE)
    try:
        compiler = find_compiler()
    except CannotCompile as error:
        pytest.skip(str(error))
    command = [*compiler, "-std=c++20", "-pthread", f"-I{SOURCES}", "late.cpp", "-o", "late"]
    subprocess.run(command, cwd=tmp_path, check=True)
    found = subprocess.run([tmp_path / "late"], capture_output=True, check=True)
    assert found.stdout == b"6 18"
