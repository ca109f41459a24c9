"""How soon `gracefuzz workers` gives out its first lease: at its start, and after a kill -9."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from storage.leadership import leader
from storage.leases import held_leases
from storage.session import open_database

TURNS = 3
SECONDS_MAX = 120.0
LOOK_SECONDS = 0.02
WORKERS = 2


def measurements() -> dict[str, float]:
    """Medians of three turns, each in a new database, with two local workers of Ray.

    `start_to_first_lease_seconds`: from the command to a row of a lease. `resume_seconds`: from the
    command that follows a kill -9 of a coordinator at work to a lease of its successor, which waits
    some seconds until it is sure that nobody leads. Raises TimeoutError.
    """
    turns = [_turn() for _ in range(TURNS)]
    return {
        "start_to_first_lease_seconds": median(first for first, _ in turns),
        "resume_seconds": median(again for _, again in turns),
    }


def _turn() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="gracefuzz-bench-") as folder:
        database = Path(folder, "bench.db")
        subprocess.run(
            _command("campaigns", "create", "thp_split", "--db", str(database)),
            check=True,
            capture_output=True,
        )
        first, process = _seconds_to_lease(database, after_epoch=0)
        process.kill()
        process.wait()
        again, process = _seconds_to_lease(database, after_epoch=1)
        process.send_signal(signal.SIGTERM)
        process.wait()
        return first, again


def _seconds_to_lease(database: Path, *, after_epoch: int) -> tuple[float, subprocess.Popen[bytes]]:
    begun = time.perf_counter()
    process = subprocess.Popen(
        _command("workers", "--workers", str(WORKERS), "--drain", "1s", "--db", str(database)),
        stderr=subprocess.DEVNULL,
    )
    with open_database(database) as opened:
        while (seconds := time.perf_counter() - begun) < SECONDS_MAX:
            with opened.read() as session:
                found = leader(session)
                if found is not None and found.epoch > after_epoch and held_leases(session):
                    return seconds, process
            time.sleep(LOOK_SECONDS)
    process.kill()
    raise TimeoutError(f"no lease was given out within {SECONDS_MAX:.0f} s")


def _command(*words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("gracefuzz")), *words]
