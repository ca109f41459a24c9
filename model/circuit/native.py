"""LLVM IR to machine code for this CPU; the one place that asks what the CPU can do."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

LANES = 512
LINE = 64
"""Bytes of a cache line."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """Machine code; it lives as long as this object."""

    engine: Any
    address: int

    def function(self, result: Any, *arguments: Any, name: str | None = None) -> Any:
        """A callable of a C type: the entry, or another function of the module."""
        address = self.engine.get_function_address(name) if name else self.address
        return ctypes.CFUNCTYPE(result, *arguments)(address)


@cache
def _features() -> str:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    flattened: str = llvm.get_host_cpu_features().flatten()
    return flattened


def vector_name() -> str:
    """The vector extension that circuits use here."""
    features = _features()
    for name, shown in (("+avx512f", "AVX-512"), ("+avx2", "AVX2"), ("+neon", "NEON")):
        if name in features:
            return shown
    return "64-bit words" if "+sse2" not in features else "SSE2"


def chunk_lanes() -> int:
    """How many of the 512 lanes one call advances: what a vector register holds.

    Results do not depend on it.
    """
    return {"AVX-512": 512, "AVX2": 256}.get(vector_name(), 128)


def compile_ir(
    text: str, entry: str, *, optimized: bool = False, quickly: bool = False
) -> Compiled:
    """Compile a module and find its function.

    A circuit is optimised already: only code is generated, `quickly` in half the time for slower
    code. Loops are `optimized` by LLVM first.
    """
    features = _features()
    module = llvm.parse_assembly(text)
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=0 if quickly else 2
    )
    if optimized:
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Compiled(engine, engine.get_function_address(entry))


def aligned(size: int) -> NDArray[np.uint8]:
    """Zeros that begin where a cache line does."""
    raw = np.zeros(size + LINE, np.uint8)
    offset = -raw.ctypes.data % LINE
    return raw[offset : offset + size]
