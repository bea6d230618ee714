"""What accounts do after a commit."""

from flask import current_app

from core import current_settings, db, transaction
from core.languages import gettext as _
from core.languages import in_language, later
from plugins.accounts import plugin
from plugins.accounts.events import LinkAsked
from plugins.accounts.links import make_link
from plugins.accounts.mail import send_mail
from plugins.accounts.models import LinkKind, User
from plugins.accounts.public import sends_mail

_SUBJECTS: dict[LinkKind, str] = {
    "invitation": later("You are invited to Coursewire"),
    "reset": later("Choose a new password for Coursewire"),
}
_TEXTS: dict[LinkKind, str] = {
    "invitation": later("""\
You have an account on Coursewire now. Choose your name and a password here:

%(link)s

The link works once, within seven days. If you expected no invitation, do nothing.
"""),
    "reset": later("""\
Somebody asked for a new password for this address. If it was you, choose one here:

%(link)s

The link works once, within two hours. If it was somebody else, do nothing: your password stays as
it is.
"""),
}


@plugin.on(LinkAsked)
def mail_the_link(event: LinkAsked) -> None:
    """Make a link, commit it, and mail it; tried again, it mails another, and both are good.

    The link is made in a transaction of its own, over before the mail server is asked: nothing
    waits for that one with a connection or a lock in its hands, and no mail leaves with a link that
    a rollback took back.
    """
    if event.user_id is None or not sends_mail():
        return
    with current_app.app_context(), transaction() as work:
        work.by = "a link to be mailed"
        user = db.session.get(User, event.user_id)
        if user is None or user.disabled:
            return
        email, link, language = user.email, make_link(user), _language_of(user)
        kind: LinkKind = "invitation" if user.invited else "reset"
    with in_language(language):
        subject, text = _(_SUBJECTS[kind]), _(_TEXTS[kind], link=link)
    send_mail(current_settings(), email, subject, text)


def _language_of(user: User) -> str:
    settings = current_settings()
    return user.language if user.language in settings.languages else settings.default_language
