"""``GET /texts/<language>.js``: what the browser code says in a language, as a module.

A page in another language than that of the code loads it before any other module, so that the texts
are there when the first is needed. Its address carries a hash of them, so that browsers keep it.
"""

import json
from functools import lru_cache
from hashlib import blake2b

from flask import Blueprint, Response, request

from core.errors import NotFound
from core.languages import Languages, current_language, languages

blueprint = Blueprint("coursewire_texts", __name__)

_KEPT_S = 365 * 86_400


@blueprint.get("/texts/<language>.js")
def texts(language: str) -> Response:
    """The module; one that is asked for by an old hash is the present one, and not kept."""
    module = _module(languages(), language)
    if module is None:
        raise NotFound(f"There are no texts in “{language[:20]}”.")
    response = Response(module, mimetype="text/javascript")
    response.set_etag(_hash(module))
    response.cache_control.public = True
    if request.args.get("v") == _hash(module):
        response.cache_control.max_age = _KEPT_S
        response.cache_control.immutable = True
    else:
        response.cache_control.no_cache = True
    response.make_conditional(request)
    return response


def address_of_texts() -> str | None:
    """Where the page at hand finds its texts; ``None`` when its scripts need none."""
    language = current_language()
    module = _module(languages(), language)
    return None if module is None else f"/texts/{language}.js?v={_hash(module)}"


@lru_cache(maxsize=64)
def _module(known: Languages, language: str) -> bytes | None:
    found = known.texts_of_scripts(language)
    if not found:
        return None
    told = json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f'import {{ speak }} from "/static/live/texts.js";\nspeak({told});\n'.encode()


@lru_cache(maxsize=64)
def _hash(module: bytes) -> str:
    return blake2b(module, digest_size=6).hexdigest()
