"""The generator is SFC64 as published, in both its forms; lane L sees bit L of it."""

import ctypes

import llvmlite.ir as ll
import numpy as np
import pytest

from model.circuit.block import Engine
from model.circuit.emit import Sfc64Emitter, i64
from model.circuit.native import LANES, compile_ir
from model.circuit.random_planes import Sfc64, generator, mix
from model.interpreter import Machine
from model.schedulers.uniform_walk import DRAWS, UniformWalk
from tests.differential.lockstep import Seen
from tests.toy_programs import lost_update

STATES = (
    (1, 2, 3, 1),
    (0, 0, 0, 0),
    (2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1),
    (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0x8CB92BA72F3D8DD7, 2**63),
)


@pytest.mark.parametrize("state", STATES)
def test_the_generator_gives_the_published_words(state):
    published = np.random.SFC64()
    published.state = {
        "bit_generator": "SFC64",
        "state": {"state": np.array(state, np.uint64)},
        "has_uint32": 0,
        "uinteger": 0,
    }
    ours = Sfc64(*state)
    assert [ours.next() for _ in range(200)] == published.random_raw(200).tolist()


def emitted(words: int, number: int):
    """A compiled function(state, out) that writes the next `number` vectors of `words` words."""
    vector = ll.VectorType(i64, words)
    module = ll.Module("sfc64")
    kind = ll.FunctionType(ll.VoidType(), [vector.as_pointer()] * 2)
    function = ll.Function(module, kind, "draw")
    b = ll.IRBuilder(function.append_basic_block())
    state, out = function.args
    loaded = [b.load(b.gep(state, [ll.Constant(i64, k)]), align=8) for k in range(4)]
    source = Sfc64Emitter(b, vector, loaded)
    for k in range(number):
        b.store(source.next(), b.gep(out, [ll.Constant(i64, k)]), align=8)
    b.ret_void()
    return compile_ir(str(module), "draw")


@pytest.mark.parametrize("words", [1, 2, 8])
def test_the_vector_form_gives_the_words_of_one_generator_each(words):
    code = emitted(words, 50)
    draw = code.function(None, ctypes.c_void_p, ctypes.c_void_p)
    seeds = [generator(7, 3, word) for word in range(words)]
    state = np.array(
        [[getattr(s, name) for s in seeds] for name in ("a", "b", "c", "counter")], np.uint64
    )
    out = np.zeros((50, words), np.uint64)
    draw(state.ctypes.data, out.ctypes.data)
    assert out.tolist() == [[s.next() for s in seeds] for _ in range(50)]


def test_generators_of_neighbouring_seeds_blocks_and_words_differ():
    keys = {
        (root, block, word)
        for root in (0, 1, 2**64, 2**70 + 1)
        for block in range(4)
        for word in range(4)
    }
    first = {generator(*key).next() for key in keys}
    assert len(first) == len(keys)


def test_mixing_keeps_words_apart():
    """The published outputs of SplitMix64 for the seed 1234567."""
    golden, seed = 0x9E3779B97F4A7C15, 1234567
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [mix((seed + k * golden) % 2**64) for k in range(5)] == published


def test_lanes_decide_as_the_reference_does_on_their_bits():
    """Who of five threads steps in every pass, from the generator's words alone."""
    program, walk, passes = lost_update.compile(threads=5), UniformWalk(), 30
    engine = Engine(program, walk, lanes=128)
    chunks = engine.decisions(root_seed=5, block=9, passes=passes)
    record = np.concatenate(chunks, axis=2)
    planes = 3 * DRAWS
    for word in range(0, LANES // 64, 3):
        source = generator(5, 9, word)
        machines = [Machine(program) for _ in range(64)]
        for number in range(passes):
            drawn = [source.next() for _ in range(planes)]
            for lane, machine in enumerate(machines):
                bits = iter([plane >> lane & 1 for plane in drawn])
                seen = Seen([int(machine.is_enabled(t)) for t in range(5)])
                thread = walk.reference(program).choose(seen, lambda bits=bits: next(bits))
                stepping = np.nonzero(record[number, :5, 64 * word + lane])[0].tolist()
                assert stepping == ([] if thread is None else [thread])
                if thread is not None:
                    machine.step(thread, lambda options: options[0])
                if machine.outcome is not None:
                    machines[lane] = Machine(program)
