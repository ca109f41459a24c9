"""What every table stands on: the metadata, how constraints are named, and columns used often."""

from enum import StrEnum

from sqlalchemy import BigInteger, Enum, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase

LANES = 512


class Base(DeclarativeBase):
    """All tables. Every constraint has a name: a migration can only change what it can name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# SQLite numbers rows by itself only in a column that is declared INTEGER.
row_number = BigInteger().with_variant(Integer(), "sqlite")


def state_column(kind: type[StrEnum], *, name: str) -> Enum:
    """Store a state as the word a person reads, with a CHECK that no other word gets in."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=20,
        name=name,
        values_callable=lambda states: [state.value for state in states],
    )
