"""``/healthz``: the process answers. ``/readyz``: everything it needs does, or which does not."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.current import current_runtime
from core.database import reading
from core.errors import BusUnavailable
from core.migrations import behind

blueprint = Blueprint("coursewire_health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """200 whenever the process can answer."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def ready() -> Response:
    """200 when all is well, else 503; ``checks`` says ``ok`` or what is wrong, and what to do."""
    checks = {"database": _database(), "migrations": "unknown: the database does not answer"}
    if checks["database"] == "ok":
        checks["migrations"] = _migrations()
    checks["redis"] = _redis()
    checks["plugins"] = "ok"
    well = all(said == "ok" for said in checks.values())
    response = jsonify(status="ok" if well else "not ready", checks=checks)
    response.status_code = 200 if well else 503
    response.headers["Cache-Control"] = "no-store"
    return response


def _database() -> str:
    try:
        with reading() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return f"does not answer ({type(error).__name__}); check DATABASE_URL"
    return "ok"


def _migrations() -> str:
    names = behind()
    return f"not applied: {', '.join(names)}; run flask db upgrade" if names else "ok"


def _redis() -> str:
    bus = current_runtime().bus
    try:
        bus.probe()
        policy = bus.eviction()
    except BusUnavailable as error:
        return f"does not answer ({error.reason.partition(':')[0]}); check REDIS_URL"
    if policy is not None:
        return f"may forget versions (maxmemory-policy {policy}); set it to noeviction"
    return "ok"
