"""What can be done to courses and their members."""

from typing import Annotated

from pydantic import StringConstraints
from sqlalchemy import delete, func, select

from core import Conflict, Invalid, Me, NotFound, db, emit, say, undone_by
from core.languages import gettext as _
from core.languages import later
from plugins.accounts.models import User
from plugins.accounts.public import find_user, invite, mail_link, sends_mail
from plugins.courses import plugin
from plugins.courses.events import CourseAdded, CourseChanged, CourseRemoved, MemberChanged
from plugins.courses.guards import authoring, course_access, course_own
from plugins.courses.merge import merged
from plugins.courses.models import Course, CourseMember, CourseStatus, Role
from plugins.courses.public import lock_course
from plugins.courses.views import (
    CourseFields,
    CourseView,
    Description,
    MemberView,
    NewCourse,
    Title,
)


@plugin.action(guard=authoring)
def add(me: Me, title: Title) -> NewCourse:
    """Add an empty draft, owned by whoever adds it."""
    course = Course(title=title)
    db.session.add(course)
    db.session.flush()
    db.session.add(CourseMember(course_id=course.id, user_id=me.user_id, role="owner"))
    emit(CourseAdded(course_id=course.id, user_id=me.user_id))
    emit(MemberChanged(course_id=course.id, user_id=me.user_id))
    say(_("“%(title)s” was added as a draft.", title=title))
    return NewCourse(id=course.id, title=title, url=f"/courses/{course.id}/edit")


@plugin.action(guard=course_access)
def edit(
    course_id: int, title: Title, description: Description, status: CourseStatus, was: CourseFields
) -> CourseView:
    """Change a course's own fields, starting from what *was*."""
    course = lock_course(course_id)
    fields = merged(
        was,
        theirs=CourseFields.of(course),
        mine=CourseFields(title=title, description=description, status=status),
    )
    before = CourseFields.of(course)
    if fields != before:
        course.title, course.description = fields.title, fields.description
        course.status = fields.status
        emit(CourseChanged(course_id=course_id))
        undone_by(edit, course_id=course_id, **before.model_dump(), was=fields)
    say(_("Saved."))
    return CourseView.of(course)


@plugin.action(guard=course_own)
def remove(course_id: int) -> None:
    """Remove a course with everything in it; the videos stay in the library."""
    title = lock_course(course_id, course_own).title
    member_ids = list(
        db.session.scalars(select(CourseMember.user_id).where(CourseMember.course_id == course_id))
    )
    db.session.execute(delete(Course).where(Course.id == course_id))
    emit(CourseRemoved(course_id=course_id, member_ids=member_ids))
    say(_("“%(title)s” was removed.", title=title))


@plugin.action(guard=course_own)
def set_member(
    course_id: int, email: Annotated[str, StringConstraints(max_length=254)], role: Role
) -> MemberView:
    """Let a user work on a course, or give a member another role.

    Where this site sends mail, who has no account gets one, with an invitation.
    """
    course = lock_course(course_id, course_own)
    user = find_user(email)
    if user is None and sends_mail() and "@" in email:
        user = invite(email)
        mail_link(user)
    if user is None or user.disabled:
        raise Invalid(
            _("Nobody signs in here as “%(email)s”. Nothing was saved.", email=email),
            errors={"email": _("Enter the e-mail address of an account of this site.")},
        )
    member = db.session.get(CourseMember, (course_id, user.id), populate_existing=True)
    if member is not None and role != "owner":
        _keep_an_owner(course, member, user)
    if member is None:
        member = CourseMember(course_id=course_id, user_id=user.id, role=None)
        db.session.add(member)
    if member.role != role:
        member.role = role
        emit(MemberChanged(course_id=course_id, user_id=user.id))
    told = _(_NOW[role], name=user.name, title=course.title)
    say(" ".join([told, _("An invitation is on its way.")]) if user.invited else told)
    return MemberView.of(user, role)


@plugin.action(guard=course_own)
def remove_member(course_id: int, user_id: int) -> None:
    """Let a user no longer work on a course."""
    course = lock_course(course_id, course_own)
    member = db.session.get(CourseMember, (course_id, user_id), populate_existing=True)
    user = db.session.get(User, user_id)
    if member is None or user is None:
        raise NotFound(
            _(
                "This user is no longer a member of “%(title)s”. Nothing was changed.",
                title=course.title,
            )
        )
    _keep_an_owner(course, member, user)
    db.session.delete(member)
    emit(MemberChanged(course_id=course_id, user_id=user_id))
    say(_("%(name)s is no longer a member of “%(title)s”.", name=user.name, title=course.title))


_NOW = {
    "owner": later("%(name)s is an owner of “%(title)s”."),
    "editor": later("%(name)s is an editor of “%(title)s”."),
    "viewer": later("%(name)s is a viewer of “%(title)s”."),
}


def _keep_an_owner(course: Course, member: CourseMember, user: User) -> None:
    """Raises `Conflict` when *member* is the only owner; the lock on the course keeps it so."""
    if member.role != "owner":
        return
    owners = db.session.scalar(
        select(func.count()).where(
            CourseMember.course_id == course.id, CourseMember.role == "owner"
        )
    )
    if owners == 1:
        raise Conflict(
            _(
                "%(name)s is the only owner of “%(title)s”. Make somebody else an owner first; "
                "then try again.",
                name=user.name,
                title=course.title,
            ),
            title=_("A course needs an owner"),
        )
