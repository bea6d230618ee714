"""Spans, where an operator has OpenTelemetry (the extra ``otel``); nothing at all elsewhere.

::

    coursewire.action ─┬─ coursewire.publication      in the request that writes
                       ┊  (the notice carries the action's span)
                       ├┄┄ coursewire.fan-out          in each worker that hears it
                       ├┄┄ coursewire.refetch          in the requests of the browsers
                       └┄┄ coursewire.reaction         in the worker that runs it

1. Who makes spans, where they go and how many are kept is the operator's: we know the API alone.
2. The dotted ones are in other processes, or later, and there may be thousands: they are traces of
   their own, with a link to the action's span where it is known. The attribute
   ``coursewire.trace`` has the trace of the frames and log lines, always.
3. Attributes are those of the metrics: never a key, a user, an address or a text of a person's.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from core.errors import Problem

_MOST_KNOWN = 1_000


class Spans:
    """Makes the spans of one worker. Without *api*, the module ``opentelemetry.trace``, none.

    Thread-safe as far as it must be: what two threads remember at once may be forgotten.
    """

    def __init__(self, api: Any = None) -> None:
        self.on = api is not None
        self._api = api
        self._tracer: Any = api.get_tracer("coursewire") if api is not None else None
        self._known: OrderedDict[str, Any] = OrderedDict()

    def span(
        self, name: str, trace: str = "", origin: str = "", **attributes: str | int
    ) -> AbstractContextManager["Span"]:
        """A span around what is done for *trace*, as a child of the one at hand.

        *origin* is the text of the action's span, from `origin`; without it, this worker may know.
        """
        if self._tracer is None:
            return _NO_SPAN
        return self._span(name, trace, origin, attributes)

    @contextmanager
    def _span(
        self, name: str, trace: str, origin: str, attributes: dict[str, str | int]
    ) -> Iterator["Span"]:
        with self._tracer.start_as_current_span(
            f"coursewire.{name}",
            links=self._links(trace, origin),
            record_exception=False,  # its text may hold what users wrote
            set_status_on_exception=False,
        ) as started:
            span = Span(started)
            span.set(trace=trace, **attributes)
            try:
                yield span
            except Exception as error:
                if not isinstance(error, Problem) or error.status >= 500:
                    started.set_status(self._api.StatusCode.ERROR, type(error).__name__)
                raise

    def origin(self, trace: str) -> str:
        """The span at hand as a text that a notice can carry; empty where nobody records it."""
        if self._api is None:
            return ""
        context = self._api.get_current_span().get_span_context()
        if not context.is_valid or not context.trace_flags.sampled:
            return ""
        self._known[trace] = context
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return f"{context.trace_id:032x}-{context.span_id:016x}"

    def _links(self, trace: str, origin: str) -> list[Any]:
        context = self._read(origin) or self._known.get(trace)
        at_hand = self._api.get_current_span().get_span_context()
        if context is None or context.trace_id == at_hand.trace_id:
            return []
        return [self._api.Link(context)]

    def _read(self, origin: str) -> Any:
        """The span that a notice names; ``None`` for what another release may have written."""
        trace_id, _, span_id = origin.partition("-")
        try:
            return self._api.SpanContext(
                int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=self._sampled
            )
        except ValueError:
            return None

    @property
    def _sampled(self) -> Any:
        return self._api.TraceFlags(self._api.TraceFlags.SAMPLED)


class Span:
    """One span, or none."""

    def __init__(self, span: Any) -> None:
        self._span = span

    def set(self, **attributes: str | int) -> None:
        """Say more of it; what is empty is left out."""
        if self._span is not None:
            told = {f"coursewire.{k}": v for k, v in attributes.items() if v != ""}
            self._span.set_attributes(told)


_NO_SPAN = nullcontext(Span(None))


def spans_if_installed() -> Spans:
    """Spans by way of OpenTelemetry's API, if it is installed."""
    try:
        from opentelemetry import trace  # noqa: PLC0415  an optional extra
    except ImportError:
        return Spans()
    return Spans(trace)
