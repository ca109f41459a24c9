"""Programs as their authors keep them: in the library by name, or in a file of one's own.

The command lines of `workers` and `service` both take a program by what a person types; this is the
lowest layer that may read a file which is not part of gracefuzz. Whatever goes wrong while the
author's own lines are executed is the author's mistake and is said with file and line.
"""

import importlib.util
import linecache
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from model.language import LanguageError, ParameterError, ProgramSource
from model.program import Program
from model.series import Series, SeriesError

_FILE = re.compile(r"(?P<path>.*\.py)(?::(?P<name>[\w-]+))?")
Found = TypeVar("Found")


class SourceError(ValueError):
    """What was given names no program, or its file cannot be read; the message says which."""


def library() -> Mapping[str, ProgramSource]:
    """The programs that come with gracefuzz, by name. Reading them costs some 10 ms each."""
    from model.library import PROGRAMS

    return PROGRAMS


def library_series() -> Mapping[str, Series]:
    """The series that come with gracefuzz, by name."""
    from model.library import SERIES

    return SERIES


def find_source(given: str) -> ProgramSource:
    """The program called `given` in the library, or in the file `path.py` or `path.py:name`.

    Raises SourceError where there is none, and LanguageError where its file has one.
    """
    match = _FILE.fullmatch(given)
    if match:
        return _in_file(Path(match["path"]).expanduser(), match["name"])
    if given not in library():
        raise SourceError(
            f"no program is called {given!r}: the library has {', '.join(sorted(library()))}\n"
            "    give one of these names, or a file of your own: path/to/file.py or file.py:name"
        )
    return library()[given]


def file_of(given: str) -> Path | None:
    """The file in what a person types, where it is no name; it need not be there."""
    match = _FILE.fullmatch(given)
    return Path(match["path"]).expanduser() if match else None


def find_series(given: str) -> Series:
    """The series called `given` in the library, or in the file `path.py` or `path.py:name`.

    Raises SourceError where there is none, and what is wrong with its file.
    """
    match = _FILE.fullmatch(given)
    if match:
        path = Path(match["path"]).expanduser()
        every = [each for each in vars(_module(path)).values() if isinstance(each, Series)]
        return _only({each.name: each for each in every}, match["name"], path, "series")
    names = ", ".join(sorted(library_series()))
    if given not in library_series():
        raise SourceError(
            f"no series is called {given!r}: the library has {names}\n"
            "    give one of these names, or a file of your own: path/to/file.py or file.py:name"
        )
    return library_series()[given]


def compile_source(source: ProgramSource, parameters: Mapping[str, int | str]) -> Program:
    """The program with its parameters folded in.

    Raises ParameterError, LanguageError, and SourceError where the author's declarations raise.
    """
    try:
        return source.compile(**dict(parameters))
    except (LanguageError, ParameterError):
        raise
    except Exception as error:
        line = _line_in(source.file, error)
        if line is None:
            raise
        raise SourceError(f"{source.file}:{line}: {type(error).__name__}: {error}") from error


def parameters_of(given: Sequence[str]) -> dict[str, str]:
    """`["gp_cookie=on"]`, as on a command line, as a mapping. Raises SourceError."""
    parameters: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SourceError(f"the parameter {text!r} is not of the form NAME=VALUE")
        if name in parameters:
            raise SourceError(f"the parameter {name!r} is given twice")
        parameters[name] = value
    return parameters


def text_of(source: ProgramSource) -> str:
    """The whole text of the file that a program is written in."""
    return Path(source.file).read_text(encoding="utf-8")


def _in_file(path: Path, name: str | None) -> ProgramSource:
    every = [each for each in vars(_module(path)).values() if isinstance(each, ProgramSource)]
    found = {source.name: source for source in every}
    own = {n: each for n, each in found.items() if Path(each.file).absolute() == path.absolute()}
    return _only(own if own and name is None else found, name, path, "program")


def _only(found: Mapping[str, Found], name: str | None, path: Path, kind: str) -> Found:
    """What a file has one of, or by a name."""
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is not None and name in found:
        return found[name]
    plural = kind if kind.endswith("s") else f"{kind}s"
    asked = f"no {kind} called {name!r}" if name else f"{len(found)} {plural}"
    known = ", ".join(sorted(found)) or "none"
    declared = "@program(…)" if kind == "program" else "Series(…)"
    raise SourceError(
        f"{path} has {asked}: it has {known}\n    declare one with {declared}, or name one: "
        f"{path}:name"
    )


def _module(path: Path) -> ModuleType:
    """Execute a file as a module that can import its neighbours."""
    if not path.is_file():
        raise SourceError(f"there is no file {path}\n    give the path of a program's file")
    spec = importlib.util.spec_from_file_location(f"gracefuzz_program_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A process that lives long may read a file again after it was edited: the compiler reads its
    # text through this cache.
    linecache.checkcache()
    # Some decorators, of dataclasses for one, look up the module in which they stand.
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent.absolute()))
    try:
        spec.loader.exec_module(module)
    except (LanguageError, SeriesError):
        raise
    except SyntaxError as error:
        raise SourceError(_not_python(error)) from error
    except (Exception, SystemExit) as error:
        line = _line_in(str(path), error)
        raise SourceError(f"{path}:{line}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent.absolute()))
    return module


def _not_python(error: SyntaxError) -> str:
    """As a language error is shown, where Python knows the place."""
    said = f"{error.filename}:{error.lineno}: not Python: {error.msg}"
    if not error.text or not error.offset:
        return said
    line = error.text.rstrip("\n")
    return f"{said}\n    {line}\n    {' ' * (error.offset - 1)}^"


def _line_in(file: str, error: BaseException) -> int | None:
    """The line of `file` that was being executed when `error` was raised, if any was."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if Path(traceback.tb_frame.f_code.co_filename).absolute() == Path(file).absolute():
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
