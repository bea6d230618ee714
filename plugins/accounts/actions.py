"""Signing in and out, and one's own account."""

from dataclasses import dataclass
from datetime import timedelta

from flask import Response, after_this_request

from core import (
    Invalid,
    Me,
    SignInNeeded,
    current_me,
    db,
    emit,
    public,
    reading,
    say,
    signed_in,
)
from core.languages import gettext as _
from core.languages import in_language, languages, remember_language
from plugins.accounts import plugin
from plugins.accounts.events import AccountChanged
from plugins.accounts.guards import own_session
from plugins.accounts.links import forget_links_of
from plugins.accounts.models import User
from plugins.accounts.passwords import check_password, hash_password, password_fits
from plugins.accounts.public import find_user
from plugins.accounts.sessions import (
    begin_session,
    end_session,
    end_sessions_of,
    forget_expired_sessions,
    give_token,
)
from plugins.accounts.tries import count_try, remember_device
from plugins.accounts.views import AccountView, Email, Name, Password


def fitting_hash(email: str, password: str) -> str | None:
    """The stored hash that the password fits; hashing takes long, and holds no connection.

    Raises `TooMany` before anything is hashed.
    """
    tries = count_try(email)
    with reading():
        user = find_user(email)
        password_hash = user.password_hash if user is not None else None
    if not password_fits(password_hash, password):
        return None
    tries.give_back()
    return password_hash


@plugin.action(guard=public, prepare=fitting_hash)
def sign_in(
    email: Email,
    password: Password,  # noqa: ARG001  for `fitting_hash`
    me: Me | None,
    prepared: str | None,
) -> AccountView:
    """Begin a session, in place of the one this browser may have."""
    user = find_user(email)
    # The hash may have changed since it was compared.
    if user is None or prepared is None or user.password_hash != prepared or user.disabled:
        raise Invalid(
            _("E-mail or password is wrong. Check both, then try again."), title=_("Not signed in")
        )
    return AccountView.of(let_in(user, me))


def let_in(user: User, me: Me | None) -> Me:
    """Begin a session of *user* in this browser, in place of that of *me*, in their language."""
    if me is not None:
        end_session(me.session_id)
    forget_expired_sessions()
    remember_device(user.email)
    if user.language in languages().offered:
        _answer_in(user.language)
    return begin_session(user)


@plugin.action(guard=public)
def sign_out(me: Me | None) -> None:
    """End the session of this browser; harmless when there is none."""
    if me is not None:
        end_session(me.session_id)
    give_token("", timedelta(0))
    say(_("You are signed out."))


@plugin.action(guard=public)
def choose_language(language: str, me: Me | None) -> None:
    """Be answered in *language* in this browser; who is signed in, in their mails too."""
    if language not in languages().offered:
        text = _("Choose one of: %(names)s.", names=", ".join(languages().offered))
        raise Invalid(text, errors={"language": text})
    if me is not None:
        db.session.get_one(User, me.user_id).language = language
    _answer_in(language)
    with in_language(language):  # each translation names its own language
        say(_("The language is English now."))


def _answer_in(language: str) -> None:
    @after_this_request
    def set_it(response: Response) -> Response:
        return remember_language(response, language)


@plugin.action(guard=signed_in)
def rename(me: Me, name: Name) -> AccountView:
    """Take another name."""
    user = db.session.get_one(User, me.user_id)
    if user.name != name:
        user.name = name
        emit(AccountChanged(user_id=user.id))
    say(_("Saved."))
    return AccountView(user_id=user.id, name=user.name, email=user.email, staff=user.staff)


@dataclass(frozen=True)
class NewPassword:
    """What takes long to find out: the stored hash that the old one fits, and that of the new."""

    fits: str | None
    new_hash: str


def ready_password(password: str, new_password: str) -> NewPassword:
    """Raises `Invalid` for a new password that is soon guessed, `TooMany` for too many wrong."""
    me = current_me()
    if me is None:
        raise SignInNeeded(_("Sign in first; then try again. Nothing was saved."))
    check_password(new_password, me.email, me.name, field="new_password")
    return NewPassword(fitting_hash(me.email, password), hash_password(new_password))


@plugin.action(guard=signed_in, prepare=ready_password)
def change_password(
    me: Me,
    password: Password,  # noqa: ARG001  for `ready_password`
    new_password: Password,  # noqa: ARG001  for `ready_password`
    prepared: NewPassword,
) -> None:
    """Choose another password: every other session ends, and this one gets another token."""
    user = db.session.get_one(User, me.user_id)
    if prepared.fits is None or user.password_hash != prepared.fits:
        text = _("This is not your password.")
        raise Invalid(_("%(text)s Nothing was saved.", text=text), errors={"password": text})
    set_password(user, prepared.new_hash)
    let_in(user, None)
    say(_("Your password is changed. Everywhere else you are signed out."))


def set_password(user: User, password_hash: str) -> None:
    """Let *user* sign in with another password; every session and every open link ends."""
    user.password_hash = password_hash
    end_sessions_of(user.id)
    forget_links_of(user.id)


@plugin.action(guard=own_session)
def end_one(me: Me, session_id: int) -> None:
    """End one of one's own sessions; of this browser, that is signing out."""
    end_session(session_id)
    if session_id == me.session_id:
        give_token("", timedelta(0))
    say(_("That browser is signed out."))


@plugin.action(guard=signed_in)
def end_others(me: Me) -> None:
    """End every session but this one."""
    ended = end_sessions_of(me.user_id, but=me.session_id)
    say(
        _("No other browser was signed in.")
        if not ended
        else _("All other browsers are signed out.")
    )
