"""The screens of the log."""

from flask import render_template
from flask.typing import ResponseReturnValue

from core import options_asked, reading, staff_only
from plugins.audit import plugin
from plugins.audit.guards import log_access
from plugins.audit.queries import audit_course, audit_site
from plugins.courses.queries import courses_detail


@plugin.page("/courses/<int:course_id>/log", guard=log_access)
def course_log_page(course_id: int) -> ResponseReturnValue:
    """What was done to a course."""
    with reading():
        title = courses_detail(course_id).title
    asked = options_asked(audit_course)
    return render_template("audit/course_page.html", course_id=course_id, title=title, **asked)


@plugin.page("/log", guard=staff_only)
def site_log_page() -> ResponseReturnValue:
    """What was done on the whole site."""
    return render_template("audit/site_page.html", **options_asked(audit_site))
