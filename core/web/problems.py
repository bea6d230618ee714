"""Errors as answers: problem+json (RFC 9457) for programs, a page in plain words for people."""

import json
import logging
from urllib.parse import quote

from flask import Flask, Response, flash, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from core.errors import (
    Conflict,
    Invalid,
    InvalidKey,
    InvalidStamp,
    Problem,
    SignInNeeded,
    Unavailable,
)
from core.languages import gettext, later
from core.web.access_lines import told_path
from core.web.redirects import own_path

log = logging.getLogger("coursewire.web")

_FOR_PROGRAMS = ("/q/", "/live", "/openapi.json", "/healthz", "/readyz", "/metrics")
_RETRY_AFTER_S = 2

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
"""The media types of a form, which a browser without JavaScript sends."""


def init_problems(app: Flask) -> None:
    """Answer every error of *app* in the words of this module."""
    app.register_error_handler(Problem, answer_problem)
    app.register_error_handler(InvalidKey, _bad_text)
    app.register_error_handler(InvalidStamp, _bad_text)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(IntegrityError, _integrity_error)
    app.register_error_handler(DataError, _out_of_range)
    app.register_error_handler(OverflowError, _out_of_range)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(PoolTimeout, _database_away)
    app.register_error_handler(Exception, _unexpected)


def answer_problem(problem: Problem) -> ResponseReturnValue:
    """*problem*, in the form that the one who asks can read."""
    if wants_json():
        return problem_response(problem)
    if request.path.startswith("/a/"):
        flash(gettext(problem.detail), "problem")
        # A body that was not read so far is not read for this.
        chosen = request.form.get("_next") if "form" in vars(request) else None
        return redirect(own_path(chosen, request.referrer), 303)
    if isinstance(problem, SignInNeeded):
        here = own_path(request.full_path.rstrip("?"))
        return redirect(f"/sign-in?next={quote(here, safe='/')}", 303)
    return _page(problem), problem.status


def _page(problem: Problem) -> str:
    """The page of *problem*; without its reader's name when the database cannot tell it."""
    try:
        return render_template("error.html", problem=problem)
    except SQLAlchemyError:
        g.coursewire_me = None
        return render_template("error.html", problem=problem)


def problem_response(problem: Problem) -> Response:
    """*problem* as ``application/problem+json``."""
    body = json.dumps(problem.as_json(), ensure_ascii=False, default=str)
    response = Response(body, problem.status, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    if problem.status in (429, 503):
        response.headers["Retry-After"] = str(problem.fields.get("retry_after_s", _RETRY_AFTER_S))
    return response


def wants_json() -> bool:
    """Whether a program asks: by the address, or by what it accepts."""
    if request.path.startswith(_FOR_PROGRAMS):
        return True
    if request.path.startswith("/a/") and request.mimetype not in FORM_TYPES:
        return True
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def _bad_text(error: InvalidKey | InvalidStamp) -> ResponseReturnValue:
    return answer_problem(_of_status(400, str(error)))


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error
    known = _WORDS.get(error.code)
    answer = answer_problem(_of_status(error.code, known or error.description or error.name))
    if error.code == 405 and isinstance(answer, Response):
        answer.headers["Allow"] = dict(error.get_headers()).get("Allow", "")
    return answer


def _integrity_error(error: IntegrityError) -> ResponseReturnValue:
    log.warning("A write met another one: %s", error.orig)
    return answer_problem(
        Conflict(
            later("Somebody else changed this at the same moment. Nothing was saved; try again.")
        )
    )


def _out_of_range(error: DataError | OverflowError) -> ResponseReturnValue:
    """PostgreSQL refuses such a value; Python's SQLite driver cannot even hand it over."""
    log.warning("The database refused a value: %s", getattr(error, "orig", error))
    return answer_problem(Invalid(later("A value is out of range. Nothing was saved.")))


def _database_away(error: Exception) -> ResponseReturnValue:
    log.error("The database does not answer: %s", error)
    return answer_problem(
        Unavailable(
            later("The database does not answer. Nothing was saved; try again in a moment.")
        )
    )


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.error("%s %s failed", request.method, told_path(), exc_info=error)
    return answer_problem(
        _of_status(
            500, later("Something broke on our side. Nothing was saved; try again in a moment.")
        )
    )


def _of_status(status: int, detail: str) -> Problem:
    for kind in Problem.__subclasses__():
        if kind.status == status:
            return kind(detail)
    problem = Problem(detail, title=_TITLES.get(status))
    problem.status = status
    return problem


_TITLES = {
    405: later("Not possible here"),
    408: later("Too slow"),
    414: later("Address too long"),
    415: later("Not a format we read"),
}
_WORDS = {
    404: later("There is nothing at this address, or you may not see it. Check the address."),
    405: later("This address does not take that kind of request."),
    408: later(
        "This took too long to arrive. Nothing was saved; try again on a better connection."
    ),
    413: later("This is larger than what is accepted here. Nothing was saved."),
    415: later("Send JSON (application/json) or a form."),
}
