"""The pattern of most tutorials: under gevent, a queue and a greenlet for each browser.

Better than many of them: it says something at once, and forgets a browser that left.
"""

from collections.abc import Iterator

from flask import Flask, Response, request
from gevent.queue import Queue

app = Flask(__name__)
_queues: "set[Queue[str]]" = set()


@app.get("/stream")
def stream() -> Response:
    """A stream of what is published."""

    def events() -> Iterator[str]:
        queue: Queue[str] = Queue()
        _queues.add(queue)
        try:
            yield ": hello\n\n"
            while True:
                yield f"data: {queue.get()}\n\n"
        finally:
            _queues.discard(queue)

    return Response(events(), mimetype="text/event-stream")


@app.post("/publish")
def publish() -> tuple[str, int]:
    """Put the body into every queue."""
    text = request.get_data(as_text=True)
    for queue in list(_queues):
        queue.put(text)
    return "", 204
