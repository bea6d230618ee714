"""How lengths, sizes and times are written on screen: Jinja filters."""

from datetime import datetime

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


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
    size = float(size_bytes)
    for unit in _UNITS:
        if size < 999.5 or unit == _UNITS[-1]:
            break
        size /= 1000
    return (
        f"{size:.1f} {unit}" if unit not in ("bytes", "KB") and size < 10 else f"{size:.0f} {unit}"
    )


def when(moment: datetime | None) -> str:
    """``22 Nov 2026``; an en dash when it is not known."""
    return "–" if moment is None else f"{moment.day} {moment:%b %Y}"


def moment(point: datetime | None) -> str:
    """``22 Nov 2026, 14:05 UTC``; an en dash when it is not known."""
    return "–" if point is None else f"{when(point)}, {point:%H:%M} UTC"
