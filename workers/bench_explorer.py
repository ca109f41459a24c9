"""How fast all states of a program are explored, and what each takes: for `gracefuzz bench`."""

from __future__ import annotations

import time

from model.explore import Explorer
from model.library import PROGRAMS

TURNS = 3
PARAMETERS: dict[str, int | str] = {"design": "70b50f94", "lookups": 2}


def measurements() -> dict[str, float]:
    """Figures by name, of six million states; takes some 10 s.

    Compiling does not count. Bytes are those of rows, index and buffers when all is explored. Times
    are of the processor; the best of a few turns counts.
    """
    program = PROGRAMS["thp_split"].compile(**PARAMETERS)
    fastest = bytes_per_state = 0.0
    for _ in range(TURNS):
        explorer = Explorer(program)
        begin = time.process_time()
        while explorer.advance():
            pass
        fastest = max(fastest, explorer.states / (time.process_time() - begin))
        bytes_per_state = explorer.bytes / explorer.states
    return {
        "explorer.states_per_second": fastest,
        "explorer.bytes_per_state": bytes_per_state,
    }
