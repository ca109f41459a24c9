"""Pages: the templates, what all of them are given, and how a page is told from a document."""

from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from service.failures import counted

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


@cache
def templates() -> Jinja2Templates:
    """The environment of all templates: everything is escaped, a name that is missing raises."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}".replace(",", "\N{THIN SPACE}")
    environment.filters["short"] = short
    environment.filters["moment"] = lambda at: f"{at:%Y-%m-%d %H:%M:%S}"
    environment.filters["counted"] = counted
    environment.globals["version"] = version("gracefuzz")
    return Jinja2Templates(env=environment)


def page(
    request: Request,
    template: str,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    **given: Any,
) -> HTMLResponse:
    """One page, with the answer's status."""
    of_visit = {name: getattr(request.state, name, None) for name in ("visitor", "csrf")}
    return templates().TemplateResponse(
        request, template, {**of_visit, **given}, status_code=status, headers=headers
    )


def problem_page(
    request: Request, status: HTTPStatus, detail: str, *, headers: dict[str, str] | None = None
) -> Response:
    """What went wrong, for a person."""
    return page(
        request,
        "problem.html",
        status=status,
        headers=headers,
        title=status.phrase,
        problem_status=status.value,
        detail=detail,
    )


def wants_page(request: Request) -> bool:
    """True where a person with a browser asks: HTML is wanted and the path is no API's."""
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith("/api/")


def short(number: int) -> str:
    """`1.2 G`: three digits and a unit of thousands; exact below 10,000."""
    if abs(number) < 10_000:
        return f"{number:,}"
    value, units = float(number), ["", "k", "M", "G", "T", "P", "E"]
    while abs(value) >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}".rstrip()
