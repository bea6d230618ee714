"""The chart as a drawing: events, the reads that hear them, and the screens that show those.

Scalable Vector Graphics with its own style, for light and dark; nothing is fetched, nothing runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from core.explain.chart import Chart, Hearer
from core.explain.why import BY_NAME

_ROW, _HEAD, _GAP, _TOP, _MARGIN = 24, 30, 18, 64, 24
_WIDTHS = (210, 290, 300)
_BETWEEN = 150
_HUES = (212, 152, 28, 275, 340, 190, 60, 100)
_NOTE = (
    "A solid line: by name, the event's fields are the key's parameters. "
    "A dashed line: a function says which keys."
)
_STYLE = """
text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; }
.head { font-size: 12px; fill: #59636e; }
.note { font-size: 12px; fill: #59636e; }
.paper { fill: #ffffff; }
.box { fill: #f6f8fa; stroke: #d1d9e0; }
.edge { fill: none; stroke-width: 1.4; stroke-opacity: 0.65; }
.code { stroke-dasharray: 5 3; }
.lonely text, text.lonely { fill: #9a6700; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .head, .note { fill: #9198a1; }
  .paper { fill: #0d1117; }
  .box { fill: #151b23; stroke: #3d444d; }
  text.lonely { fill: #d29922; }
}
"""


@dataclass(frozen=True)
class _Place:
    left: float
    right: float
    middle: float


@dataclass(frozen=True)
class _Edge:
    start: _Place
    end: _Place
    hue: int
    in_code: bool


def draw(chart: Chart) -> str:
    """The chart as one SVG document."""
    events: dict[str, list[str]] = {}
    reads: dict[str, dict[str, None]] = {}
    shown: dict[str, None] = {}
    for heard in chart.events:
        events.setdefault(heard.plugin, []).append(heard.event)
        for hearer in heard.hearers:
            plugin, read = _read_of(hearer)
            reads.setdefault(plugin, {})[read] = None
            shown.update(dict.fromkeys(hearer.screens))
    screens: dict[str, list[str]] = {}
    for screen in sorted(shown):
        screens.setdefault(_owner_of(screen), []).append(screen)
    hues = {plugin: _HUES[n % len(_HUES)] for n, plugin in enumerate(dict.fromkeys(events))}
    lonely = {heard.event for heard in chart.events if not heard.hearers and not heard.reactions}

    lefts = [_MARGIN]
    for width in _WIDTHS[:-1]:
        lefts.append(lefts[-1] + width + _BETWEEN)
    columns = [_column(groups, left, width) for groups, left, width in zip(
        (events, {plugin: list(names) for plugin, names in reads.items()}, screens),
        lefts, _WIDTHS, strict=True)]  # fmt: skip
    height = max(bottom for _, _, bottom in columns) + 40
    width = lefts[-1] + _WIDTHS[-1] + _MARGIN
    edges = _edges(chart, [places for _, places, _ in columns], hues)
    titles = zip(("Events", "make stale", "shown by"), lefts, strict=True)
    body = [
        f'<rect class="paper" width="{width}" height="{height}"/>',
        *(f'<text class="title" x="{left}" y="34">{text}</text>' for text, left in titles),
        *map(_path, edges),
        *(box for boxes, _, _ in columns for box in boxes),
        *_texts(columns, lonely),
        f'<text class="note" x="{_MARGIN}" y="{height - 16}">{_NOTE}</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" '
        'aria-label="Which events make which keys stale, and which screens show those">'
        f"<style>{_STYLE}</style>{''.join(body)}</svg>\n"
    )


_Column = tuple[list[str], dict[str, _Place], float]


def _column(groups: Mapping[str, Sequence[str]], left: float, width: float) -> _Column:
    """Its boxes, where each name lies, and how far down it reaches."""
    boxes, places, top = [], {}, float(_TOP)
    for owner, names in groups.items():
        height = _HEAD + _ROW * len(names) + 4
        boxes.append(
            f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>'
            f'<text class="head" x="{left + 12}" y="{top + 20}">{escape(owner)}</text>'
        )
        for number, name in enumerate(names):
            middle = top + _HEAD + _ROW * number + _ROW / 2
            places[name] = _Place(left, left + width, middle)
        top += height + _GAP
    return boxes, places, top


def _edges(
    chart: Chart, places: Sequence[Mapping[str, _Place]], hues: Mapping[str, int]
) -> list[_Edge]:
    events, reads, screens = places
    found: dict[tuple[str, str], _Edge] = {}
    for heard in chart.events:
        hue = hues[heard.plugin]
        for hearer in heard.hearers:
            in_code = hearer.how != BY_NAME
            _, read = _read_of(hearer)
            start, end = events[heard.event], reads[read]
            found.setdefault((heard.event, read), _Edge(start, end, hue, in_code))
            for screen in hearer.screens:
                shown = _Edge(end, screens[screen], hues.get(hearer.plugin, _HUES[0]), False)
                found[read, screen] = shown
    return list(found.values())


def _path(edge: _Edge) -> str:
    x1, y1, x2, y2 = edge.start.right, edge.start.middle, edge.end.left, edge.end.middle
    bend = (x2 - x1) * 0.45
    kind = "edge code" if edge.in_code else "edge"
    return (
        f'<path class="{kind}" stroke="hsl({edge.hue} 60% 50%)" '
        f'd="M{x1} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2} {y2:g}"/>'
    )


def _texts(columns: Iterable[_Column], lonely: set[str]) -> list[str]:
    return [
        f'<text x="{place.left + 12}" y="{place.middle + 4:g}"'
        f"{' class=' + chr(34) + 'lonely' + chr(34) if name in lonely else ''}>"
        f"{escape(name)}{' (nobody hears it)' if name in lonely else ''}</text>"
        for _, places, _ in columns
        for name, place in places.items()
    ]


def _read_of(hearer: Hearer) -> tuple[str, str]:
    """Under which plugin it stands, and what it is called; all guards make one thing stale."""
    if hearer.namespace == "access":
        return "guards", "what a user may do"
    return hearer.plugin, hearer.owner


def _owner_of(screen: str) -> str:
    """The plugin whose template or slot it is."""
    if screen.startswith("slot "):
        return "slots"
    return screen.partition("/")[0] if "/" in screen else "core"
