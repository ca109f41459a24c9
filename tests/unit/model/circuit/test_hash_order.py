"""A circuit is the same, gate for gate, whatever order a process hashes names in."""

import os
import subprocess
import sys

import pytest

TELL = """
import hashlib
from model.circuit import block
from model.circuit.step_circuit import build_step_circuit
from model.library import PROGRAMS

def tell(text, *_, **__):
    print(hashlib.sha256(text.encode()).hexdigest())
    raise SystemExit

program = PROGRAMS[{name!r}].compile()
print(build_step_circuit(program).net.gates)
block.compile_ir = tell
block.Engine(program)
"""


def told(name, seed):
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    command = [sys.executable, "-c", TELL.format(name=name)]
    return subprocess.run(command, env=environment, check=True, capture_output=True).stdout


@pytest.mark.parametrize("name", ["thp_split", "remove_mapping"])
def test_another_hash_seed_gives_the_same_circuit(name):
    first = told(name, 0)
    assert first and all(told(name, seed) == first for seed in (1, 3))
