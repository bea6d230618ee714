"""What was done, as owners and staff read it."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, func, select, true

from core import Params, db, staff_only
from plugins.accounts.events import AccountChanged
from plugins.accounts.models import User
from plugins.audit import plugin
from plugins.audit.events import Audited
from plugins.audit.guards import log_access
from plugins.audit.models import AuditEntry
from plugins.audit.views import LogPage, LogRow
from plugins.courses.events import CourseAdded, CourseChanged, CourseRemoved
from plugins.courses.models import Course

_PAGE_SIZE = 50


@plugin.query("course", guard=log_access, stale_on=[CourseChanged, CourseRemoved])
def audit_course(course_id: int, page: int = 1) -> LogPage:
    """What was done to one course."""
    return _page(AuditEntry.course_id == course_id, page)


@plugin.query(
    "site",
    guard=staff_only,
    stale_on=[Audited, AccountChanged, CourseAdded, CourseChanged, CourseRemoved],
)
def audit_site(page: int = 1) -> LogPage:
    """What was done on the whole site."""
    return _page(true(), page)


@audit_course.stale_on(Audited)
def of_courses(event: Audited) -> Iterable[Params]:
    """Those that it concerns."""
    return [(course_id,) for course_id in event.course_ids]


@audit_course.stale_on(AccountChanged)
def naming(event: AccountChanged) -> Iterable[Params]:
    """The courses whose log names the user."""
    mine = AuditEntry.user_id == event.user_id
    found = select(AuditEntry.course_id).where(mine, AuditEntry.course_id.is_not(None)).distinct()
    return [(course_id,) for course_id in db.session.scalars(found) if course_id is not None]


audit_course.fill("courses.members", plugin)


def _page(among: ColumnElement[bool], page: int) -> LogPage:
    total = db.session.scalar(select(func.count(AuditEntry.id)).where(among)) or 0
    pages = max(1, -(-total // _PAGE_SIZE))
    page = min(max(1, page), pages)
    rows = db.session.execute(
        select(AuditEntry, User.name, Course.title)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(Course, Course.id == AuditEntry.course_id)
        .where(among)
        .order_by(AuditEntry.id.desc())
        .limit(_PAGE_SIZE)
        .offset((page - 1) * _PAGE_SIZE)
    )
    return LogPage(
        rows=[_row(entry, name, title) for entry, name, title in rows],
        total=total,
        page=page,
        pages=pages,
    )


def _row(entry: AuditEntry, name: str | None, title: str | None) -> LogRow:
    return LogRow(
        id=entry.id,
        at=entry.at,
        user_id=entry.user_id,
        name=name,
        course_id=entry.course_id,
        course_title=title,
        action=entry.action,
        event=entry.event,
        ids=entry.ids,
        trace=entry.trace,
    )
