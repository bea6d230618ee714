"""WebVTT captions (W3C, "WebVTT: The Web Video Text Tracks Format"), read strictly, written anew.

What is stored is never what was sent: the cues alone, with their times, their settings and the tags
that the format knows. Whatever else stood in the file (styles, notes, other tags) is left out, and
no ``<`` remains that does not begin one of those tags; so nothing in it can be taken for HTML.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.languages import gettext as _

MAX_BYTES = 1_000_000
_MAX_CUES = 20_000
_MAX_LINE = 2_000

_TIME = r"(?:(\d{2,3}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(.*))?")
_SETTING = re.compile(
    r"vertical:(rl|lr)"
    r"|align:(start|center|end|left|right)"
    r"|line:(-?\d{1,3}|\d{1,3}(\.\d+)?%)(,(start|center|end))?"
    r"|position:\d{1,3}(\.\d+)?%(,(line-left|center|line-right))?"
    r"|size:\d{1,3}(\.\d+)?%"
)
_PIECE = re.compile(r"<[^<>]*>|[^<]+|<")
_TAG = re.compile(r"<(/?)(b|i|u|c|ruby|rt|v|lang)((?:\.[\w-]+)*)(?:[ \t]+([^<>]*))?>")
_STAMP = re.compile(rf"<{_TIME}>")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Captions:
    """Captions that were read: the text of their file, written anew, and how many cues it has."""

    text: str
    cues: int


def read_captions(data: bytes) -> Captions:
    """The captions in *data*; raises `ValueError`, in words for people, for anything else."""
    if len(data) > MAX_BYTES:
        raise ValueError(_("Captions have at most 1 MB. Choose a smaller file."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(_("This file is not in UTF-8. Save it as UTF-8, and try again.")) from None
    lines = re.split(r"\r\n|\r|\n", text)
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise ValueError(
            _(
                "This is no WebVTT file: its first line has to be “WEBVTT”. Save the captions as "
                "WebVTT (.vtt), and try again."
            )
        )
    written = ["WEBVTT"]
    last_ms = 0
    for cue in _cues(lines):
        if cue.start_ms < last_ms:
            raise ValueError(
                _("Line %(line)s: this begins before the caption above it.", line=cue.line)
            )
        last_ms = cue.start_ms
        written.append(cue.text)
    if len(written) == 1:
        raise ValueError(_("There is no caption in this file."))
    return Captions("\n\n".join(written) + "\n", len(written) - 1)


@dataclass(frozen=True)
class _Cue:
    line: int
    start_ms: int
    text: str


def _cues(lines: list[str]) -> Iterator[_Cue]:
    count = 0
    for first, block in _blocks(lines):
        at = 0 if "-->" in block[0] else 1
        if at == len(block) or "-->" not in block[at]:
            continue  # a note, a style, a region, or the rest of the header
        count += 1
        if count > _MAX_CUES:
            raise ValueError(
                _(
                    "Captions have at most %(max_cues)s parts. Choose a shorter file.",
                    max_cues=_MAX_CUES,
                )
            )
        yield _cue(first + at, block[at:])


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """What stands between empty lines, and the number of its first line, from 1."""
    block: list[str] = []
    for number, line in enumerate([*lines[1:], ""], start=2):
        if len(line) > _MAX_LINE:
            raise ValueError(
                _(
                    "Line %(number)s has more than %(max_line)s characters.",
                    number=number,
                    max_line=_MAX_LINE,
                )
            )
        if line:
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _cue(line: int, block: list[str]) -> _Cue:
    found = _TIMING.fullmatch(block[0].strip())
    if found is None:
        raise ValueError(
            _(
                "Line %(line)s should say when the caption is shown, as in “00:01.000 --> "
                "00:04.000”, and does not.",
                line=line,
            )
        )
    start_ms, end_ms = _ms(found.groups()[:4]), _ms(found.groups()[4:8])
    if end_ms <= start_ms:
        raise ValueError(_("Line %(line)s: the caption ends before it begins.", line=line))
    settings = [word for word in (found[9] or "").split() if _SETTING.fullmatch(word)]
    head = " ".join([f"{_time(start_ms)} --> {_time(end_ms)}", *settings])
    for offset, text in enumerate(block[1:], start=1):
        if "-->" in text:
            raise ValueError(
                _(
                    "Line %(offset)s: an empty line is missing above this time.",
                    offset=line + offset,
                )
            )
    return _Cue(line, start_ms, "\n".join([head, *map(_payload, block[1:])]))


def _payload(line: str) -> str:
    return "".join(map(_piece, _PIECE.findall(_UNSEEN.sub("", line)))) or "\u200b"


def _piece(piece: str) -> str:
    """Text with its signs escaped, a tag of the format as it has to be, and nothing for others."""
    if not piece.startswith("<"):
        return _escaped(piece)
    if piece == "<":
        return "&lt;"
    if stamp := _STAMP.fullmatch(piece):
        return f"<{_time(_ms(stamp.groups()))}>"
    tag = _TAG.fullmatch(piece)
    if tag is None:
        return ""
    end, name, classes, annotation = tag.groups()
    if end:
        return f"</{name}>"
    return f"<{name}{classes}{' ' + _escaped(annotation.strip()) if annotation else ''}>"


def _escaped(text: str) -> str:
    plain = _UNSEEN.sub("", html.unescape(text)).replace("\n", " ")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ms(groups: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, thousandths = (int(group or 0) for group in groups)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def _time(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
