"""What `gracefuzz doctor` looks at: this machine, its packages, the database, Ray.

Each check says what it found, and where that is not fine what to do. Nothing is changed, and no
check ends the others: what cannot be asked is itself wrong.
"""

import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from storage.errors import StorageError
from storage.health import broken_parts, check_writable, clock_skew_seconds
from storage.locations import PostgresqlServer, SqliteFile, locate, option_for
from storage.maintenance import DatabaseState, sqlite_build, state_of

PROJECT = "gracefuzz"
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
SKEW_SECONDS_MAX = 5.0
BYTES_FREE_MIN = 2**30
SHARED_MEMORY_MIN = 160 * 2**20
# Half of the least that was measured with vectors of so many lanes, of thp_split on one core.
STEPS_A_SECOND_MIN = {512: 0.14e9, 256: 0.14e9, 128: 0.07e9}


class Level(StrEnum):
    """How bad it is; only what is wrong changes the exit code."""

    FINE = "fine"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about it."""

    name: str
    level: Level
    found: str
    remedy: str = ""


def fine(name: str, found: str) -> Check:
    """Nothing is to be done."""
    return Check(name, Level.FINE, found)


def said_by(name: str, error: Exception) -> Check:
    """An error whose message is a sentence, and below it the way out."""
    found, _, remedy = str(error).partition("\n")
    return Check(name, Level.WRONG, found, " ".join(remedy.split()))


# -- this machine ----------------------------------------------------------------------------------


def machine_checks(*, folders: dict[str, Path]) -> Iterator[Check]:
    """Python, packages, CPU, and the disks of these folders by what they are for."""
    yield python_check()
    yield from package_checks(requires(PROJECT) or [], pins(CONSTRAINTS))
    yield cpu_check()
    for purpose, folder in folders.items():
        yield space_check(purpose, folder, bytes_min=BYTES_FREE_MIN)
    yield space_check("/dev/shm", Path("/dev/shm"), bytes_min=SHARED_MEMORY_MIN)


def python_check() -> Check:
    """Whether this Python is one that gracefuzz is for."""
    has, wanted = platform.python_version(), metadata(PROJECT)["Requires-Python"]
    if SpecifierSet(wanted).contains(has, prereleases=True):
        return fine("python", has)
    return Check("python", Level.WRONG, f"{has}, and {wanted} is needed", "install another Python")


def package_checks(requirements: list[str], pinned: dict[str, str]) -> Iterator[Check]:
    """A check for each package that is missing or in the way, or one that says all is well."""
    wanted = [Requirement(line) for line in requirements]
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    strange = 0
    for each in wanted:
        try:
            has = version(each.name)
        except PackageNotFoundError:
            has = ""
        pin = pinned.get(each.name.lower(), "")
        remedy = f"pip install -c constraints.txt '{each.name}{each.specifier}'"
        if not has or not each.specifier.contains(has, prereleases=True):
            strange += 1
            found = f"{each.name} {has or 'is missing'}, and {each.specifier} is needed"
            yield Check("packages", Level.WRONG, found, remedy)
        elif pin and pin != has:
            strange += 1
            found = f"{each.name} {has}; what is tested is {pin}"
            yield Check("packages", Level.NOTE, found, remedy)
    if not strange:
        how = "as they are pinned" if pinned else "in the ranges that are stated"
        yield fine("packages", f"{PROJECT} {version(PROJECT)}, {len(wanted)} packages {how}")


def pins(file: Path) -> dict[str, str]:
    """The exact versions that a clone states; none where gracefuzz was installed without it."""
    if not file.exists():
        return {}
    lines = (line.partition("==") for line in file.read_text().splitlines() if "==" in line)
    return {name.strip().lower(): pinned.strip() for name, _, pinned in lines}


def cpu_check() -> Check:
    """The vectors that the engine uses, and how fast it is with them; takes some two seconds."""
    from model.circuit.native import chunk_lanes, vector_name
    from workers.bench_engine import reference_program, speed_of
    from workers.commands import cores

    speed, least = speed_of(reference_program(), seconds=0.5), STEPS_A_SECOND_MIN[chunk_lanes()]
    found = (
        f"{vector_name()}, {chunk_lanes()} of 512 lanes a vector, {cores()} cores; "
        f"{speed / 1e9:.2f} G steps/s of thp_split on one, at least {least / 1e9:.2f} expected"
    )
    if speed >= least:
        return fine("cpu", found)
    return Check("cpu", Level.NOTE, found, "is the CPU shared, throttled or emulated?")


def space_check(name: str, folder: Path, *, bytes_min: int) -> Check:
    """What is free where files are written."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(name, Level.NOTE, f"{folder}: {error.strerror}", "mount it, or make it")
    found = f"{folder}: {free / 2**30:.1f} GiB free"
    if free >= bytes_min:
        return fine(name, found)
    remedy = "free some space" if name != "/dev/shm" else "give it more: docker run --shm-size=1g"
    return Check(name, Level.NOTE, f"{found}, {bytes_min / 2**30:.2f} are advised", remedy)


# -- the database ----------------------------------------------------------------------------------


def database_checks(location: str) -> Iterator[Check]:
    """Whether it is there, of this gracefuzz, writable and whole; what it runs on; its clock."""
    try:
        place = locate(location)
        if isinstance(place, SqliteFile):
            yield sqlite_check()
            if not place.path.exists() and place.path.parent.is_dir():
                yield fine("database", f"{place.path} is not there yet: a campaign makes it")
                return
        state = state_of(location)
        yield revision_check(state, location)
        if state.is_current:
            check_writable(location)
            yield fine("writing", "a row was written, and taken back")
        yield from _whole(location, place)
    except StorageError as error:
        yield said_by("database", error)


def revision_check(state: DatabaseState, location: str) -> Check:
    """Whether this gracefuzz can use its tables."""
    found = f"{state.name}: {state.engine}, {state.size_bytes:,} bytes"
    if state.is_current:
        return fine("database", f"{found}, revision {state.revision}")
    found += f"; revision {state.revision or 'none'}, and {state.newest_revision} is needed"
    remedy = f"stop what uses it, then: gracefuzz db upgrade{option_for(location)}"
    return Check("database", Level.WRONG, found, remedy)


def sqlite_check() -> Check:
    """Which SQLite is used."""
    build = sqlite_build()
    found = f"{build.version} of {build.module}"
    if not build.has_reset_defect:
        return fine("sqlite", f"{found}: without the WAL-reset defect")
    remedy = "pip install pysqlite3, which brings its own"
    return Check("sqlite", Level.WRONG, f"{found} has the WAL-reset defect", remedy)


def _whole(location: str, place: SqliteFile | PostgresqlServer) -> Iterator[Check]:
    if isinstance(place, SqliteFile):
        begun = time.monotonic()
        broken = broken_parts(location)
        if broken:
            remedy = "restore a backup; what can be read is saved by: sqlite3 FILE .recover"
            yield Check("integrity", Level.WRONG, "; ".join(broken), remedy)
        else:
            seconds = time.monotonic() - begun
            yield fine("integrity", f"every page and reference was read, in {seconds:.1f} s")
        return
    skew = clock_skew_seconds(location)
    assert skew is not None
    found = f"the server's is {abs(skew):.3f} s {'ahead of' if skew > 0 else 'behind'} ours"
    if abs(skew) <= SKEW_SECONDS_MAX:
        yield fine("clock", found)
    else:
        yield Check("clock", Level.NOTE, f"{found}: times that are shown differ", "use NTP on both")
