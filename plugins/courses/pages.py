"""The screens of courses; other plugins show their regions in the slots of two of them."""

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from core import Access, current_me, reading, signed_in
from core.guards import Guard
from plugins.courses import plugin
from plugins.courses.guards import authoring, course_access, course_own
from plugins.courses.queries import courses_detail


@plugin.page("/", guard=signed_in)
def home() -> ResponseReturnValue:
    """Work begins with the courses."""
    return redirect("/courses")


@plugin.page("/courses", guard=signed_in)
def courses_page() -> ResponseReturnValue:
    """The user's courses."""
    return render_template("courses/list_page.html", may_add=_may(authoring))


@plugin.page("/courses/<int:course_id>", guard=course_access)
def learn_page(course_id: int) -> ResponseReturnValue:
    """A course as those who learn from it see it; slot ``courses.learn``."""
    return _course_page("courses/learn_page.html", course_id)


@plugin.page("/courses/<int:course_id>/edit", guard=course_access, needs=Access.EDIT)
def edit_page(course_id: int) -> ResponseReturnValue:
    """A course as those who build it see it; slots ``courses.edit``, ``-side`` and ``-team``."""
    return _course_page("courses/edit_page.html", course_id)


@plugin.page("/courses/<int:course_id>/members", guard=course_own)
def members_page(course_id: int) -> ResponseReturnValue:
    """Who works on a course, and learns from it."""
    return _course_page("courses/members_page.html", course_id)


def _course_page(template: str, course_id: int) -> ResponseReturnValue:
    with reading():
        title = courses_detail(course_id).title
    return render_template(
        template,
        course_id=course_id,
        title=title,
        may_edit=_may(course_access, course_id=course_id),
        may_own=_may(course_own, course_id=course_id),
    )


def _may(guard: Guard, **values: int) -> bool:
    with reading():
        return guard(current_me(), values) >= Access.EDIT
