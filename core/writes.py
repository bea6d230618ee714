"""Running an action: guard, function, outbox and answer in one transaction; then publication."""

import json
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from core.access import Access, Me
from core.actions import Action
from core.current import current_runtime
from core.database import db, gave_way, reading
from core.errors import Forbidden, Invalid, NotFound, SignInNeeded
from core.events import Event
from core.languages import gettext as _
from core.outbox import ActionAnswer, OutboxEvent
from core.stamps import Stamp
from core.transactions import Undo, Work, transaction

log = logging.getLogger("coursewire.writes")

MAX_IDEMPOTENCY_KEY = 128

_ATTEMPTS = 5
_LONGEST_WAIT_S = 0.05


@dataclass(frozen=True)
class Outcome:
    """What came of an action: its result in plain JSON types, what it emitted, and made stale."""

    result: Any
    message: str | None
    stale: tuple[str, ...]
    stamp: Stamp | None
    undo: Undo | None = None
    events: tuple[Event, ...] = ()


def run_action(
    action: Action[..., Any],
    arguments: Mapping[str, Any],
    me: Me | None,
    idempotency_key: str | None = None,
) -> Outcome:
    """Run *action* as *me*.

    With an *idempotency_key* that this user sent before, nothing runs and the outcome is the one of
    then; with other arguments under the same key it raises `Invalid`.
    """
    if me is None or idempotency_key is None:
        return _run(action, arguments, me, None)
    answer = ActionAnswer(
        user_id=me.user_id,
        idempotency_key=idempotency_key,
        request_hash=_hash(action, arguments),
    )
    earlier = _earlier(answer)
    if earlier is not None:
        return earlier
    try:
        return _run(action, arguments, me, answer)
    except IntegrityError:
        # The same request, sent twice at once: the other one was first.
        earlier = _earlier(answer)
        if earlier is None:
            raise
        return earlier


def _run(
    action: Action[..., Any],
    arguments: Mapping[str, Any],
    me: Me | None,
    answer: ActionAnswer | None,
) -> Outcome:
    complete = action.prepared(arguments)
    for _attempt in range(_ATTEMPTS - 1):
        try:
            return _run_once(action, arguments, complete, me, answer)
        except DBAPIError as error:
            if not gave_way(error):
                raise
            log.info("%s gave way to another transaction and is tried again", action.label)
        time.sleep(random.uniform(0, _LONGEST_WAIT_S))  # noqa: S311  jitter, not a secret
    return _run_once(action, arguments, complete, me, answer)


def _run_once(
    action: Action[..., Any],
    arguments: Mapping[str, Any],
    complete: dict[str, Any],
    me: Me | None,
    answer: ActionAnswer | None,
) -> Outcome:
    runtime = current_runtime()
    with runtime.spans.span("action", action=action.label) as span, transaction() as work:
        work.by = f"action '{action.label}'"
        work.action, work.user_id = action.label, me.user_id if me is not None else None
        span.set(trace=work.trace)
        if answer is not None:
            db.session.add(answer)
            db.session.flush()
        check_access(action.needs, runtime.registry.grant(action.guard, me, arguments), me)
        returned = action.function(**action.with_me(complete, me))
        result = action.result_type.dump_python(returned, mode="json")
        if answer is not None:
            answer.answer = {
                "result": result,
                "message": work.message,
                "undo": asdict(work.undo) if work.undo is not None else None,
                "trace": work.trace,
            }
            work.before_commit = lambda: _remember_stale(answer, work)
    return Outcome(result, work.message, work.stale, work.stamp, work.undo, tuple(work.events))


def check_access(needs: Access, access: Access, me: Me | None) -> None:
    """Raises the problem that says why *access*, which *me* has, is less than a write *needs*.

    An action is refused so by core. Call it for what is asked besides: before an action, or again
    where the right may have gone meanwhile.
    """
    if access >= needs:
        return
    if me is None:
        raise SignInNeeded(_("Sign in first; then try again. Nothing was saved."))
    if access is Access.NONE:
        raise NotFound(_("This is gone, or you may not see it. Nothing was saved."))
    raise Forbidden(_("You may look at this and not change it. Ask an owner of the course."))


def _earlier(answer: ActionAnswer) -> Outcome | None:
    with reading() as session:
        row = session.scalar(
            select(ActionAnswer).where(
                ActionAnswer.user_id == answer.user_id,
                ActionAnswer.idempotency_key == answer.idempotency_key,
            )
        )
        if row is None or row.answer is None:
            return None
        if row.request_hash != answer.request_hash:
            raise Invalid(
                _("This Idempotency-Key was used for another request. Use a new one for each.")
            )
        found = dict(row.answer)
        published = not _is_owed(session, str(found["trace"]))
    stamp = current_runtime().read_stamp() if published else None
    undo: Any = found.get("undo")  # an answer of an older release has none
    return Outcome(
        found["result"],
        found["message"],  # type: ignore[arg-type]
        tuple(found["stale"]),  # type: ignore[arg-type]
        stamp,
        Undo(**undo) if undo is not None else None,
    )


def _is_owed(session: Session, trace: str) -> bool:
    return session.scalar(select(OutboxEvent.id).where(OutboxEvent.trace == trace)) is not None


def _remember_stale(answer: ActionAnswer, work: Work) -> None:
    answer.answer = {**(answer.answer or {}), "stale": list(work.stale)}


def _hash(action: Action[..., Any], arguments: Mapping[str, Any]) -> str:
    plain = {
        name: (value.filename if hasattr(value, "filename") else value)
        for name, value in arguments.items()
    }
    text = json.dumps([action.label, plain], sort_keys=True, default=_plain)
    return sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
