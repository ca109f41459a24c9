"""Reading a bundle that may be anything: nothing is unpacked, believed or executed unchecked.

A bundle comes from elsewhere. Its size is bounded before and while it is read, names are those of
the format or refused, every file is the one that the manifest says, and what a failure claims is
executed again by the interpreter: its fingerprint, sizes and columns are computed here, and only
how far its minimum is proved is taken from what it says.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.interpreter import Trace, replay
from model.minimized import Minimized, described
from model.program import Program
from model.program_json import from_json
from model.schedulers.named import scheduler_named
from model.schedulers.scheduler import SchedulerError
from model.signature import signature_of
from model.stored_schedule import DamagedSchedule, NotApplicable, reconstruct
from model.validation import ProgramError
from service.bundles import BUNDLE_VERSION, FORMAT, MANIFEST

BUNDLE_BYTES_MAX = 64 << 20
FILE_BYTES_MAX = 16 << 20
TOTAL_BYTES_MAX = 256 << 20
FILES_MAX = 10_000
# What the largest programs of the library need, several times over.
THREADS_MAX = 64
STEPS_MAX = 10_000
BODY_STEPS_MAX = 20_000
STATE_BITS_MAX = 1 << 16
NUMBER_MAX = 1 << 64
SHIFT_MAX = 64
COUNT_MAX = 1 << 63
TEXT_MAX = 4096

_NAME = re.compile(r"(programs|failures)/[0-9a-f]{64}\.(json|txt)")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_DIGITS = re.compile(r"\d{1,40}")
CRITERIA = ("preemptions", "switches", "threads", "steps")


class BundleError(ValueError):
    """What was given is no bundle that may be taken in; the message says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What showed a failure first, where the bundle comes from."""

    kind: str
    scheduler: str
    root_seed: int
    engine_revision: str
    block: int
    lane: int
    schedule_ordinal: int


@dataclass(frozen=True, slots=True)
class BundledFailure:
    """A failure that fails here as the bundle says, described anew."""

    minimal: Minimized
    trace: Trace
    program: Program
    ir: str
    source: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was read: `digest` is the SHA-256 of its manifest, which names all the rest."""

    digest: str
    failures: tuple[BundledFailure, ...]


def read_bundle(content: bytes) -> Bundle:
    """The failures of a bundle, each executed again. Raises BundleError for whatever is wrong."""
    files = _files(content)
    manifest = files.pop(MANIFEST, None)
    if manifest is None:
        raise BundleError(f"it has no {MANIFEST}: it is no bundle of gracefuzz")
    _check_manifest(_parsed(MANIFEST, manifest), files)
    failures = sorted(name for name in files if re.fullmatch(r"failures/.*\.json", name))
    programs: dict[str, Program] = {}
    read = tuple(_failure(name, files, programs) for name in failures)
    return Bundle(hashlib.sha256(manifest).hexdigest(), read)


# -- the zip file ----------------------------------------------------------------------------------


def _files(content: bytes) -> dict[str, bytes]:
    if len(content) > BUNDLE_BYTES_MAX:
        raise BundleError(f"it has {len(content):,} bytes, and {BUNDLE_BYTES_MAX:,} is the most")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return dict(_entries(archive))
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
    ) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"it is no zip file that can be read: {error}") from None


def _entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    entries = archive.infolist()
    if len(entries) > FILES_MAX:
        raise BundleError(f"it has {len(entries):,} files, and {FILES_MAX:,} is the most")
    seen, total = set[str](), 0
    for entry in entries:
        name = entry.filename
        if name != MANIFEST and not _NAME.fullmatch(name):
            raise BundleError(f"it has a file {name!r:.80}, which no bundle has")
        if name in seen:
            raise BundleError(f"it has the file {name} twice")
        seen.add(name)
        # The size in the directory may be a lie: what counts is what comes out.
        with archive.open(entry) as file:
            text = file.read(FILE_BYTES_MAX + 1)
        total += len(text)
        if len(text) > FILE_BYTES_MAX or total > TOTAL_BYTES_MAX:
            raise BundleError(
                f"{name} unpacks to more than a bundle may hold ({FILE_BYTES_MAX:,} bytes a file, "
                f"{TOTAL_BYTES_MAX:,} in all)"
            )
        yield name, text


def _check_manifest(manifest: Any, files: Mapping[str, bytes]) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"its {MANIFEST} is not that of a bundle of gracefuzz")
    if manifest.get("version") != BUNDLE_VERSION or type(manifest["version"]) is not int:
        raise BundleError(
            f"it is a bundle of version {manifest.get('version')!r:.20}; this gracefuzz reads "
            f"{BUNDLE_VERSION}\n    install the gracefuzz that wrote it, or a later one"
        )
    listed = manifest.get("files")
    if not isinstance(listed, dict) or listed.keys() != files.keys():
        raise BundleError(f"its files are not those that its {MANIFEST} lists")
    for name, text in files.items():
        said = listed[name].get("sha256") if isinstance(listed[name], dict) else None
        if said != hashlib.sha256(text).hexdigest():
            raise BundleError(f"{name} is not the file that was packed: its SHA-256 is another")


# -- what is in it ---------------------------------------------------------------------------------


def _failure(name: str, files: Mapping[str, bytes], programs: dict[str, Program]) -> BundledFailure:
    told = _parsed(name, files[name])
    if not isinstance(told, dict) or told.get("version") != BUNDLE_VERSION:
        raise BundleError(f"{name} is no failure of version {BUNDLE_VERSION}")
    ir_hash = told.get("ir_hash")
    place = f"programs/{ir_hash}.json"
    if not isinstance(ir_hash, str) or place not in files:
        raise BundleError(f"{name} is a failure of a program that is not in the bundle")
    if ir_hash not in programs:
        programs[ir_hash] = _program(place, ir_hash, files[place])
    program = programs[ir_hash]
    trace = _executed(name, program, told)
    proof = _proof(name, told.get("proof"))
    minimal = described(trace, proof=proof, states=0)
    if f"failures/{minimal.fingerprint}.json" != name:
        raise BundleError(f"{name}: what it shows has another fingerprint, {minimal.fingerprint}")
    said = (told.get("oracle"), told.get("sentence"), told.get("step"))
    if said != (minimal.oracle, minimal.sentence, minimal.signature.step):
        raise BundleError(f"{name}: it fails otherwise than it says, by {minimal.sentence!r:.80}")
    source = _text(f"programs/{ir_hash}.txt", files.get(f"programs/{ir_hash}.txt", b""))
    origin = _origin(name, told.get("origin"))
    return BundledFailure(minimal, trace, program, files[place].decode(), source, origin)


def _program(name: str, ir_hash: str, text: bytes) -> Program:
    _refuse_what_no_compiler_makes(name, _parsed(name, text))
    try:
        program = from_json(text.decode())
        _check_size(name, program)
        _check_names(name, program)
        computed = program.hash
    except (ProgramError, RecursionError) as error:
        raise BundleError(f"{name}: {error}") from None
    if computed != ir_hash:
        raise BundleError(f"{name}: the hash of this program is {computed}")
    return program


def _check_names(name: str, program: Program) -> None:
    """Names stand in the commands that people are told to type."""
    given = [program.name, *(key for key, _ in program.parameters)]
    given += [str(value) for _, value in program.parameters if isinstance(value, str)]
    for text in given:
        if not _WORD.fullmatch(text):
            raise BundleError(f"{name}: {text!r:.40} is no name that a program has")


def _check_size(name: str, program: Program) -> None:
    """What executing a program costs must be known before it is executed."""
    bits = sum(len(each.init) * each.type.width for each in program.variables)
    steps = sum(len(body.steps) for body in program.bodies)
    for what, count, most in (
        ("threads", len(program.threads), THREADS_MAX),
        ("steps an execution", program.steps_max, STEPS_MAX),
        ("steps in its bodies", steps, BODY_STEPS_MAX),
        ("bits of shared state", bits, STATE_BITS_MAX),
    ):
        if count > most:
            raise BundleError(f"{name}: {count:,} {what}, and {most:,} is the most")


def _executed(name: str, program: Program, told: Mapping[str, Any]) -> Trace:
    try:
        trace = replay(program, reconstruct(program, json.dumps(told.get("schedule"))))
    except (NotApplicable, DamagedSchedule) as error:
        raise BundleError(f"{name}: {error}") from None
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        # The IR obeys its rules, and still no compiler of ours has made it.
        raise BundleError(f"{name}: its program cannot be executed: {error!r:.80}") from None
    if trace.site is None or not trace.events:
        raise BundleError(f"{name}: its schedule violates nothing here")
    assert signature_of(trace).program == program.name
    return trace


def _proof(name: str, told: Any) -> dict[str, str]:
    """How far each criterion is sure: proved elsewhere is not proved here."""
    if not isinstance(told, dict) or told.keys() != set(CRITERIA):
        raise BundleError(f"{name}: it does not say how far its minimum is proved")
    levels: dict[str, str] = {}
    for criterion in CRITERIA:
        level = _plain(name, told[criterion])
        levels[criterion] = "local (proved where it comes from)" if level == "proved" else level
    return levels


def _origin(name: str, told: Any) -> Origin:
    if not isinstance(told, dict) or told.get("kind") not in ("fuzz", "verify"):
        raise BundleError(f"{name}: it does not say what showed it first")
    scheduler = _plain(name, told.get("scheduler"))
    if told["kind"] == "fuzz":
        _check_scheduler(name, scheduler)
    lane = told.get("lane")
    if type(lane) is not int or not 0 <= lane < 512:
        raise BundleError(f"{name}: {lane!r:.20} is no lane")
    return Origin(
        kind=told["kind"],
        scheduler=scheduler,
        root_seed=_count(name, told.get("root_seed"), most=(1 << 64) - 1),
        engine_revision=_plain(name, told.get("engine_revision")),
        block=_count(name, told.get("block"), most=COUNT_MAX - 1),
        lane=lane,
        schedule_ordinal=_count(name, told.get("schedule_ordinal"), most=10**40),
    )


def _check_scheduler(name: str, scheduler: str) -> None:
    try:
        scheduler_named(scheduler)
    except SchedulerError as error:
        raise BundleError(f"{name}: {error}") from None


def _count(name: str, told: Any, *, most: int) -> int:
    if not isinstance(told, str) or not _DIGITS.fullmatch(told) or int(told) > most:
        raise BundleError(f"{name}: {told!r:.40} is no count that a campaign has")
    return int(told)


def _plain(name: str, told: Any) -> str:
    """A line of text without what a terminal would obey."""
    if not isinstance(told, str) or len(told) > TEXT_MAX or not told.isprintable():
        raise BundleError(f"{name}: {told!r:.40} is no plain text")
    return told


def _parsed(name: str, text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is no JSON: {error}") from None


def _text(name: str, text: bytes) -> str:
    try:
        said = text.decode()
    except UnicodeDecodeError:
        raise BundleError(f"{name} is no text") from None
    if not said.replace("\n", "").replace("\t", "").isprintable():
        raise BundleError(f"{name} holds characters that a terminal would obey")
    return said


def _refuse_what_no_compiler_makes(name: str, value: Any) -> None:
    """Texts that a terminal would obey, and numbers that would fill the memory."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and not item.isprintable():
            raise BundleError(f"{name} holds characters that a terminal would obey")
        if isinstance(item, int | float) and not -NUMBER_MAX <= item <= NUMBER_MAX:
            raise BundleError(f"{name} holds a number of more than 64 bits")
        if isinstance(item, dict):
            shifts = item.get("op") in ("<<", ">>") and isinstance(item.get("right"), dict)
            by = item["right"].get("value") if shifts else 0
            if not isinstance(by, int) or by > SHIFT_MAX:
                raise BundleError(f"{name} holds a shift by more than {SHIFT_MAX} bits")
            waiting += [*item, *item.values()]
        elif isinstance(item, list):
            waiting += item
