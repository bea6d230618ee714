"""``flask live map``, ``explain``, ``tail`` and ``check``."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from redis.exceptions import RedisError

from core.bus import Notice
from core.checks import find_warnings
from core.current import current_runtime
from core.errors import CoursewireError, InvalidStamp
from core.explain.chart import Chart, as_text, chart_of
from core.explain.drawing import draw
from core.explain.why import BY_NAME, Why
from core.hub import decode_notice
from core.keys import prefixes
from core.stamps import Stamp


@click.command("map")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw it there.")
@with_appcontext
def show_map(svg: Path | None) -> None:
    """Show which events make which keys stale, and which screens show those."""
    chart = _chart()
    if svg is None:
        click.echo(as_text(chart))
        return
    svg.write_text(draw(chart), encoding="utf-8")
    click.echo(f"Drawn: {svg}")


@click.command("explain")
@click.argument("event")
@with_appcontext
def explain(event: str) -> None:
    """Show what happens after EVENT, such as media-linked: who hears it, and which screens move."""
    chart = _chart()
    heard = chart.find(event)
    if heard is None:
        near = chart.near(event)
        hint = f" Did you mean {' or '.join(near)}?" if near else " `flask live map` shows all."
        raise click.ClickException(f"No enabled plugin declares the event “{event}”.{hint}")
    click.echo(as_text(chart, [heard.wire_name]))
    screens = {screen for hearer in heard.hearers for screen in hearer.screens}
    moved = (
        f"Screens that may move: {', '.join(sorted(screens))}."
        if screens
        else ("No screen of the enabled plugins shows what it makes stale.")
    )
    click.echo(f"\n{moved}")


@click.command("tail")
@click.option("--key", "keys", multiple=True, help="Only notices that name this key, or above it.")
@click.option("--event", "events", multiple=True, help="Only this cause, such as media-linked.")
@click.option("--count", type=click.IntRange(1), help="End after so many.")
@with_appcontext
def tail(keys: tuple[str, ...], events: tuple[str, ...], count: int | None) -> None:
    """Follow the notices as they are published, until Ctrl-C."""
    shown = 0
    try:
        for stamp, notice in _notices():
            named = {name for key in keys for name in prefixes(key)}
            if (events and notice.cause not in events) or (
                keys and not notice.reset and named.isdisjoint(notice.keys)
            ):
                continue
            click.echo(_line(stamp, notice))
            shown += 1
            if shown == count:
                return
    except KeyboardInterrupt:
        return
    except RedisError as error:
        raise click.ClickException(f"Redis does not answer: {error}") from None


@click.command("check")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@with_appcontext
def check(strict: bool) -> None:
    """Look for what will not move: events that nobody hears, regions that no event moves.

    Faults in the declarations stop every command, this one too, with the exit code 1.
    """
    chart = _chart()
    warnings = [str(warning) for warning in find_warnings(current_runtime().registry.plugins)]
    moved = {hearer.namespace for heard in chart.events for hearer in heard.hearers}
    constant = {q.namespace for q in current_runtime().registry.queries if q.constant}
    warnings += [
        f"Nothing shows {namespace}: no template has a region of it, and no slot."
        for namespace, screens in chart.screens.items()
        if not screens and namespace in moved
    ]
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    hearers = sum(len(heard.hearers) for heard in chart.events)
    click.echo(
        f"{len(chart.events)} events, {hearers} rules, {len(chart.screens)} namespaces "
        f"({len(constant)} constant), {len(warnings)} warnings."
    )
    if warnings and strict:
        raise click.ClickException("There are warnings, and --strict was said.")


def _chart() -> Chart:
    app: Any = current_app
    return chart_of(app, current_runtime().registry)


def _notices() -> Iterator[tuple[Stamp, Notice]]:
    """What is published from now on."""
    bus = current_runtime().bus
    client = bus.connect(timeout_s=None, single=True)
    subscription: Any = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    with subscription:
        subscription.subscribe(bus.channel)
        click.echo(f"Following {bus.channel}; Ctrl-C ends it.", err=True)
        for message in subscription.listen():
            try:
                yield decode_notice(message["data"])
            except (CoursewireError, InvalidStamp, ValueError, KeyError, TypeError) as error:
                click.echo(f"A notice that cannot be read: {error}", err=True)


def _line(stamp: Stamp, notice: Notice) -> str:
    why = Why.decode(notice.why) if notice.why else Why()
    moment = datetime.fromtimestamp(notice.at or time.time(), UTC).astimezone()
    named = "every key" if notice.reset else ", ".join(notice.keys) or "nothing"
    parts = [f"{moment:%H:%M:%S} {stamp.sequence:>7} {notice.cause:<20} {named}"]
    if why.by:
        parts.append(f"by {why.by}")
    if why.swept:
        parts.append("published by the sweeper")
    if notice.at is not None and why.sent:
        parts.append(f"{max(0.0, why.sent - notice.at) * 1000:.0f} ms after the commit")
    if notice.trace:
        parts.append(f"trace {notice.trace}")
    rules = [
        f"{' ' * 17}{rule.owner}, {rule.how if rule.how == BY_NAME else f'{rule.how}()'}: "
        f"{', '.join((*rule.keys, *rule.later))}"
        for rule in why.named
    ]
    return "\n".join(["   ".join(parts), *rules])
