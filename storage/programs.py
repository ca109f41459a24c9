"""Programs: stored with their IR, so that what was found in one replays for ever."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from storage.errors import UnknownProgram
from storage.once import insert_once
from storage.tables import ProgramRow


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """A program as it is stored; `parameters` and `ir` are JSON text, kept to the character."""

    ir_hash: str
    name: str
    parameters: str
    ir: str
    source: str


def record_program(session: Session, program: ProgramRecord, *, now: datetime) -> bool:
    """Store `program` unless its IR is stored already; say whether it was new.

    What is stored stays as it is: its lines may be those of an earlier text, since the hash leaves
    line numbers out.
    """
    values = {**asdict(program), "created_at": now}
    return insert_once(session, ProgramRow, key=["ir_hash"], values=values)


def get_program(session: Session, ir_hash: str) -> ProgramRecord:
    """The program whose IR has this hash; raises `UnknownProgram`."""
    row = session.get(ProgramRow, ir_hash)
    if row is None:
        raise UnknownProgram(
            f"no program has the IR hash {ir_hash!r}\n"
            "    a program is stored when a campaign of it starts; is this the right database?"
        )
    return ProgramRecord(
        ir_hash=row.ir_hash,
        name=row.name,
        parameters=row.parameters,
        ir=row.ir,
        source=row.source,
    )
