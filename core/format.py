"""How lengths, sizes, numbers and times are written on screen, by the language at hand.

They are Jinja filters too.
"""

from datetime import datetime

from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from core.events import in_words
from core.languages import SOURCE, current_direction, current_locale
from core.languages import gettext as _

_UNITS = ("KB", "MB", "GB", "TB")
_SOURCE_DATE, _SOURCE_TIME = "d MMM y", "HH:mm"
"""Ours, for English: no country's order of day and month can be taken for another's."""


def duration(seconds: float | None) -> str:
    """``4:05`` or ``1:02:03``; an en dash when it is not known."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def filesize(size_bytes: int | None) -> str:
    """``37 KB`` or ``1.4 GB``, in powers of 1,000; an en dash when it is not known."""
    if size_bytes is None:
        return "–"
    if size_bytes < 999.5:
        return _("%(count)s bytes", count=size_bytes)
    size = size_bytes / 1000
    for unit in _UNITS:
        if size < 999.5 or unit == _UNITS[-1]:
            break
        size /= 1000
    digits = 1 if unit != "KB" and size < 10 else 0
    told = f"{_decimal(size, digits)} {unit}"
    # Between words that go the other way, a number and the letters behind it change places.
    return (
        told
        if current_direction() == "ltr"
        else f"\N{LEFT-TO-RIGHT ISOLATE}{told}\N{POP DIRECTIONAL ISOLATE}"
    )


def number(count: float) -> str:
    """``10,000``: with what the language puts between thousands."""
    return format_decimal(count, locale=current_locale())


def decimal(value: float, digits: int) -> str:
    """``12.30``: always so many *digits* behind the point, or what the language has for one."""
    return format_decimal(value, f"#,##0.{'0' * digits}", current_locale())


def when(moment: datetime | None) -> str:
    """``22 Nov 2026``; an en dash when it is not known."""
    if moment is None:
        return "–"
    locale = current_locale()
    form = _SOURCE_DATE if locale.language == SOURCE else "medium"
    return format_date(moment, form, locale)


def moment(point: datetime | None) -> str:
    """``22 Nov 2026, 14:05 UTC``; an en dash when it is not known."""
    if point is None:
        return "–"
    locale = current_locale()
    form = _SOURCE_TIME if locale.language == SOURCE else "short"
    return f"{when(point)}, {format_time(point, form, locale=locale)} UTC"


def event_name(wire_name: str) -> str:
    """What people call an event: ``Media linked`` for ``media-linked``."""
    return _(in_words(wire_name))


def _decimal(size: float, digits: int) -> str:
    """Rounded as Python does, so that English stays as programs write it."""
    form = "0.0" if digits else "0"
    return format_decimal(round(size, digits), form, current_locale())
