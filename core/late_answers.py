"""Answers of Redis that are there although the wait for them is over.

When a thousand browsers ask at once, a worker is busy with them for longer than an answer may take.
The time is up before anybody has looked whether the answer came::

    this worker   asks ── serves others, and others, and others ── time is up ── looks: it is there
    Redis             └─► answers ─────────────────┘

That worker is slow, and Redis is not away. (libev hands over some sockets a turn, 64 at first; an
answer behind a thousand requests comes many turns later, and the timer sooner.)
"""

from redis.connection import DefaultParser
from redis.exceptions import TimeoutError as RedisTimeout


class LateAnswers(DefaultParser):  # type: ignore[valid-type,misc]  # chosen when it is imported
    """redis-py's parser, that of hiredis, which looks once more before it says the time is up."""

    def read_from_socket(self, *arguments: object, **named: object) -> bool:
        """Read what is there, as its parent does; raises redis-py's `TimeoutError`."""
        try:
            return bool(super().read_from_socket(*arguments, **named))
        except RedisTimeout:
            return bool(super().read_from_socket(timeout=0))
