"""Planes to rows and back: blocks of 64 x 64 bits in every machine word of vectors at once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import llvmlite.ir as ll
import numpy as np
from numpy.typing import NDArray

from model.circuit.loops import Function, Module, i64
from model.circuit.native import aligned, compile_ir

WORD = 64
LOW = {32: 0x00000000FFFFFFFF, 16: 0x0000FFFF0000FFFF, 8: 0x00FF00FF00FF00FF,
       4: 0x0F0F0F0F0F0F0F0F, 2: 0x3333333333333333, 1: 0x5555555555555555}  # fmt: skip


def add_transpose(module: Module, vector: ll.VectorType) -> Function:
    """transpose(planes): bit k of plane q and bit q of plane k change places, for 64 planes.

    8 vectors at a time, in two sweeps.
    """
    f = Function(module, "transpose", [vector.as_pointer()])
    planes = f.array(0)
    for distances, group, inner in (((32, 16, 8), 1, 8), ((4, 2, 1), 8, 1)):
        with f.for_range(8) as number:
            first = number * group
            row = [planes[first + k * inner] for k in range(8)]
            for distance in distances:
                apart = distance // inner
                for k in range(8):
                    if not k & apart:
                        a, b = row[k], row[k + apart]
                        swapped = ((a >> distance) ^ b) & LOW[distance]
                        row[k], row[k + apart] = a ^ (swapped << distance), b ^ swapped
            for k in range(8):
                planes[first + k * inner] = row[k]
    f.result(0)
    return f


def rows_of(planes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """[time, plane, word] to [time, word of planes, lane in its word, word of lanes].

    Bit q of word g is what lane 64 w + k has in plane 64 g + q, at [time, g, k, w].
    """
    count, lines, words = planes.shape
    groups = -(-lines // WORD)
    room = aligned(8 * count * groups * WORD * words).view(np.uint64)
    room = room.reshape(count, groups * WORD, words)
    room[:, :lines] = planes
    _transposition(words)(room.ctypes.data, count * groups)
    return room.reshape(count, groups, WORD, words)


@cache
def _transposition(words: int) -> Callable[[int, int], int]:
    vector = ll.VectorType(i64, words)
    module = Module("transposition")
    transpose = add_transpose(module, vector)
    f = Function(module, "every", [vector.as_pointer(), i64])
    with f.for_range(f.integer(1)) as number:
        f.call(transpose, f.array(0).at(number * WORD))
    f.result(0)
    code = compile_ir(str(module), "every", optimized=True)
    function = code.function(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)

    def call(address: int, blocks: int, code: object = code) -> int:
        # The code lives as long as who calls it.
        result: int = function(address, blocks)
        return result

    return call
