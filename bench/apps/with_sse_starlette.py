"""sse-starlette: a task and a queue for each browser."""

import asyncio
from collections.abc import AsyncIterator

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_queues: set[asyncio.Queue[str]] = set()


async def stream(request: Request) -> Response:  # noqa: ARG001  Starlette's signature
    """A stream of what is published."""

    async def events() -> AsyncIterator[dict[str, str]]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        _queues.add(queue)
        try:
            while True:
                yield {"data": await queue.get()}
        finally:
            _queues.discard(queue)

    return EventSourceResponse(events())


async def publish(request: Request) -> Response:
    """Put the body into every queue."""
    text = (await request.body()).decode()
    for queue in list(_queues):
        queue.put_nowait(text)
    return Response(status_code=204)


app = Starlette(routes=[Route("/stream", stream), Route("/publish", publish, methods=["POST"])])
