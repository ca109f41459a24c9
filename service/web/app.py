"""The application: its routes, what guards them, and what it holds open."""

import secrets
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from service.web import (
    campaign_page,
    deciding,
    failure_page,
    health,
    lists,
    login,
    metrics,
    reading,
    steering,
)
from service.web.guards import Guard, TokenBuckets
from service.web.metrics import registry_of
from service.web.pages import STATIC
from service.web.problems import add_problems
from storage.session import Database

BODY_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask for: requests a second for ever, and at once."""

    requests_per_second: float = 50.0
    burst: int = 200


def create_app(database: Database, *, is_open: bool = True, limits: Limits = Limits()) -> FastAPI:
    """The service over an open database, which whoever opened it closes.

    `is_open` lets everybody in who can reach it as long as the database holds no token.
    """
    app = FastAPI(
        title="gracefuzz",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.database, app.state.is_open = database, is_open
    app.state.csrf_key = secrets.token_urlsafe(32)
    app.state.metrics, answers = registry_of(database)
    app.add_middleware(
        Guard,
        body_bytes_max=BODY_BYTES_MAX,
        buckets=TokenBuckets(limits.requests_per_second, limits.burst),
        count=answers.count,
    )
    add_problems(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for routes in (health, metrics, login, reading, lists, failure_page, steering):
        app.include_router(routes.router)
    # /campaigns/new before /campaigns/{number}: the first route that fits answers.
    for router in (steering.forms, campaign_page.router, deciding.router, deciding.forms):
        app.include_router(router)
    return app
