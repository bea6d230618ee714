"""Who may use the library. Plugins that use videos extend these guards."""

from core import Access, Me, check_access, current_me
from core.current import current_runtime
from plugins.accounts.events import AccountChanged
from plugins.media import plugin


@plugin.guard(stale_on=[AccountChanged])
def library_access(me: Me) -> Access:
    """Staff; other plugins let their authors in."""
    return _staff(me)


@plugin.guard(stale_on=[AccountChanged])
def media_access(me: Me, media_id: int) -> Access:  # noqa: ARG001  extensions decide by it
    """Staff; other plugins let their authors edit, and let whoever sees a use view."""
    return _staff(me)


def _staff(me: Me) -> Access:
    return Access.EDIT if me.staff else Access.NONE


def refuse_viewers(media_id: int) -> None:
    """For what an action prepares before its own guard is asked: only editors store anything."""
    me = current_me()
    granted = current_runtime().grant(media_access, me, {"media_id": media_id})
    check_access(Access.EDIT, granted, me)
