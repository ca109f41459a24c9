"""What an author imports: declarations, types, and the kernel's vocabulary."""

from model.language.declare import Operation, Option, Param, Patch, ProgramSource, Switch, program
from model.language.errors import LanguageError, ParameterError
from model.language.subroutines import noinline, primitive
from model.language.types import boolean, names, uint
from model.language.vocabulary import VOCABULARY

globals().update({name: word for name, word in VOCABULARY.items() if not name.startswith("_")})

__all__ = [
    "LanguageError",
    "Operation",
    "Option",
    "Param",
    "ParameterError",
    "Patch",
    "ProgramSource",
    "Switch",
    "boolean",
    "names",
    "noinline",
    "primitive",
    "program",
    "uint",
    *(name for name in VOCABULARY if not name.startswith("_")),
]
