"""The screens of the library."""

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

from core import options_asked, read_cookie, reading, set_cookie
from plugins.media import plugin
from plugins.media.guards import library_access, media_access
from plugins.media.queries import media_detail, media_list

VIEWS = ("grid", "list")
_VIEW_COOKIE = "coursewire_library_view"
_YEAR_S = 365 * 24 * 3600


@plugin.page("/media", guard=library_access)
def library_page() -> ResponseReturnValue:
    """The library, as a grid or a list: the choice is the browser's, and is remembered there."""
    asked = request.args.get("view", read_cookie(_VIEW_COOKIE))
    view = asked if asked in VIEWS else VIEWS[0]
    page = render_template("media/list_page.html", view=view, **options_asked(media_list))
    response = make_response(page)
    if "view" in request.args:
        set_cookie(response, _VIEW_COOKIE, view, _YEAR_S)
    return response


@plugin.page("/media/<int:media_id>", guard=media_access)
def file_page(media_id: int) -> ResponseReturnValue:
    """One video: player, details, and where it is used."""
    with reading():
        title = media_detail(media_id).title
    return render_template("media/detail_page.html", media_id=media_id, title=title)
