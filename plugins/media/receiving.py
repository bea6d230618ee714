"""``PUT /media/uploads/<id>/parts/<number>``: one part, in the body; and what has arrived.

A part has exactly the length that its number says, so no body is endless; it is written where it
stays, and no transaction is open meanwhile. Where the storage takes parts itself, they do not come
here: ``POST …/parts/<number>/address`` says where they go.
"""

from dataclasses import replace

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from core import (
    Access,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    Me,
    SignInNeeded,
    current_me,
    reading,
)
from core.current import current_runtime
from core.languages import gettext as _
from plugins.media import plugin
from plugins.media.guards import library_access
from plugins.media.parts import Pending
from plugins.media.sessions import own_upload, pending_of, take_handle, tell_progress
from plugins.media.storage import current_storage
from plugins.media.views import UploadProgress


@plugin.put("/media/uploads/<upload_id>/parts/<int:number>")
def receive_part(upload_id: str, number: int) -> ResponseReturnValue:
    """Keep one part; the answer is empty."""
    pending = expected(upload_id)
    size_bytes = _bytes_of(pending, number)
    if request.content_length != size_bytes:
        raise Invalid(
            _(
                "Part %(number)s has %(size_bytes)s bytes, and %(content_length)s were "
                "announced. Nothing was stored.",
                number=number,
                size_bytes=size_bytes,
                content_length=request.content_length,
            )
        )
    request.max_content_length = size_bytes
    try:
        current_storage().receive(pending, number, request.stream)
    except EOFError:
        raise BadRequest(
            _("The connection broke before the part was whole. Send it again.")
        ) from None
    tell_progress(upload_id)
    return "", 204


@plugin.post("/media/uploads/<upload_id>/parts/<int:number>/address")
def part_address(upload_id: str, number: int) -> ResponseReturnValue:
    """Where this part is put, for a while; asked anew for each, which also tells how far it is."""
    pending = expected(upload_id)
    _bytes_of(pending, number)
    storage = current_storage()
    handle = storage.begin(pending.handle)
    if handle != pending.handle:
        pending = replace(pending, handle=take_handle(upload_id, pending.handle, handle))
    tell_progress(upload_id)
    address = storage.address(pending, number)
    here = f"/media/uploads/{upload_id}/parts/{number}"
    response = jsonify(
        url=address.url if address else here,
        headers=dict(address.headers) if address else {},
        lasts_s=address.lasts_s if address else None,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@plugin.page("/media/uploads/<upload_id>", guard=library_access, needs=Access.EDIT)
def upload_state(upload_id: str) -> ResponseReturnValue:
    """What has arrived of an upload, and what became of it: ask after any failure."""
    me = sender()
    with reading():
        upload = own_upload(me, upload_id)
        pending, progress = pending_of(upload), UploadProgress.of(upload)
    if upload.state in ("receiving", "checking"):
        progress.received = sorted(current_storage().received(pending))
    response = jsonify(progress.model_dump(mode="json"))
    response.headers["Cache-Control"] = "no-store"
    return response


def expected(upload_id: str) -> Pending:
    """What is to be received, for the one who asks; raises when nothing is."""
    me = sender()
    if current_runtime().grant(library_access, me, {}) < Access.EDIT:
        raise Forbidden(_("You may not add files to the library. Nothing was stored."))
    with reading():
        upload = own_upload(me, upload_id)
        pending, state = pending_of(upload), upload.state
    if state != "receiving":
        raise Conflict(_("This upload takes no more parts. Ask for its state."), state=state)
    return pending


def _bytes_of(pending: Pending, number: int) -> int:
    try:
        return pending.bytes_of(number)
    except ValueError:
        raise Invalid(
            _(
                "This file has %(count)s parts; %(number)s is none of them.",
                count=pending.count,
                number=number,
            )
        ) from None


def sender() -> Me:
    """Who sends; raises `SignInNeeded`."""
    me = current_me()
    if me is None:
        raise SignInNeeded(_("Sign in first; then go on with the upload. What was sent is kept."))
    return me
