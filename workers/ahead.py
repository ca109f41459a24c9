"""Machine code that is made in the background, while Python imports, reads and opens files.

LLVM lets go of the interpreter's lock: where there is a second core, hardly any of its time is
waited for. Each program is compiled once a process, whoever asks first.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

from model.circuit.block import Engine
from model.program import Program
from model.schedulers.portfolio import ARMS_MAX
from model.schedulers.scheduler import Scheduler

_threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compiling")


@lru_cache(maxsize=ARMS_MAX)
def engine_ahead(program: Program, scheduler: Scheduler) -> Future[Engine]:
    """Begin to compile the engine of a program; takes up to a second."""
    return _threads.submit(Engine, program, scheduler)
