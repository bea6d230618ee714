"""Spans: what an operator with OpenTelemetry sees of one write, and that others pay nothing."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from core.telemetry.spans import Spans
from tests.conftest import act
from tests.core.asking import LIST
from tests.core.conftest import BOOK, VIEWER, MakeApp, client_of, runtime_of
from tests.core.listening import listening_here
from tests.servers import ROOT, wait_until


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """The memory of a provider that this process keeps: OpenTelemetry lets it be set once."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    return memory


@pytest.fixture
def made(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    yield exporter
    exporter.clear()


def named(made: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in made.get_finished_spans() if span.name == f"coursewire.{name}"]


def test_a_write_is_followed_from_the_action_to_the_refetch(
    make_app: MakeApp, sqlite_url: str, made: InMemorySpanExporter
) -> None:
    app = make_app(sqlite_url, fill=True)
    runtime = runtime_of(app)
    runtime.start()
    wait_until(lambda: runtime.hub.settled, "hub")
    stream = listening_here(client_of(app), f"key=notes:list:{BOOK}")
    stream.next("hello")

    stamp = act(client_of(app), "notes/write", book_id=BOOK, text="A note")["stamp"]
    frame = stream.next("stale")
    client_of(app).get(LIST, headers={"Live-Floor": stamp})
    wait_until(lambda: len(named(made, "reaction")) == 2 and named(made, "fan-out"), "spans")
    runtime.drain()
    stream.rest()

    (action,), (publication,) = named(made, "action"), named(made, "publication")
    assert action.context is not None
    assert publication.parent is not None
    assert publication.parent.span_id == action.context.span_id
    (fan_out,), (refetch,) = named(made, "fan-out"), named(made, "refetch")
    for later in (fan_out, refetch, *named(made, "reaction")):
        assert [link.context.span_id for link in later.links] == [action.context.span_id], later
    for span in made.get_finished_spans():
        assert (span.attributes or {})["coursewire.trace"] == frame.data["trace"]
    told = {span.name: dict(span.attributes or {}) for span in made.get_finished_spans()}
    assert told["coursewire.action"]["coursewire.action"] == "notes.write"
    assert told["coursewire.publication"]["coursewire.event"] == "note-written"
    assert told["coursewire.fan-out"]["coursewire.browsers"] == 1
    assert told["coursewire.refetch"]["coursewire.namespace"] == "notes.list"
    assert told["coursewire.refetch"]["coursewire.source"] == "database"


def test_what_was_refused_is_no_error_and_what_failed_tells_its_kind_alone(
    make_app: MakeApp, sqlite_url: str, made: InMemorySpanExporter
) -> None:
    app = make_app(sqlite_url, fill=True)

    client_of(app, VIEWER).post("/a/notes/write", json={"book_id": BOOK, "text": "Mine"})
    with pytest.raises(ValueError, match="secret"), Spans(trace).span("action"):
        raise ValueError("a secret of somebody's")

    refused, failed = named(made, "action")
    assert refused.status.is_unset
    assert failed.status.description == "ValueError"
    assert not failed.events


@pytest.mark.parametrize("origin", ["", "x", "12", "zz-1", "1-"])
def test_an_origin_that_cannot_be_read_links_nothing(
    origin: str, made: InMemorySpanExporter
) -> None:
    with Spans(trace).span("fan-out", "t1", origin):
        pass

    (span,) = named(made, "fan-out")
    assert not span.links


def test_without_the_extra_nothing_is_imported_and_nothing_is_made() -> None:
    code = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from core.telemetry.spans import spans_if_installed\n"
        "spans = spans_if_installed()\n"
        "with spans.span('action', 't1', action='a.b') as span:\n"
        "    span.set(trace='t1')\n"
        "print(spans.on, repr(spans.origin('t1')))\n"
    )

    done = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)

    assert done == "False ''\n"
