"""The programs that come with gracefuzz, by name."""

from __future__ import annotations

from collections.abc import Mapping

from model.language.declare import ProgramSource
from model.programs.thp_split import thp_split

PROGRAMS: Mapping[str, ProgramSource] = {source.name: source for source in (thp_split,)}
