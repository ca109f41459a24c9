"""Which code a worker executes: nodes of a cluster that have another one would change results."""

import hashlib
import os
import platform
import socket
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import model
import workers
from model.circuit.native import vector_name


@dataclass(frozen=True, slots=True)
class Identity:
    """What a worker says of itself; `code` is a digest of what it executes."""

    process_id: int
    host: str
    gracefuzz: str
    code: str
    python: str
    vector: str


def identity() -> Identity:
    """That of this process."""
    return Identity(
        os.getpid(),
        socket.gethostname(),
        version("gracefuzz"),
        code_digest(),
        platform.python_version(),
        vector_name(),
    )


@cache
def code_digest() -> str:
    """Of every Python file of `model` and `workers`: two nodes that agree in it compute the same.

    A version would not do: between two releases it stays what it is. Takes some 10 ms.
    """
    digest = hashlib.sha256()
    for package in (model, workers):
        assert package.__file__ is not None
        folder = Path(package.__file__).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{folder.name}/{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def difference(theirs: Identity) -> str | None:
    """Why a worker cannot be used beside this process; None where it can."""
    if theirs.code == code_digest():
        return None
    return (
        f"it has another gracefuzz: {theirs.gracefuzz} with code {theirs.code}, here it is "
        f"{version('gracefuzz')} with code {code_digest()}\n"
        "    install the same one on every node"
    )
