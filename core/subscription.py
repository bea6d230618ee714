"""A subscription: the one connection on which a worker hears Redis.

1. The ping has a deadline of our own: a Redis that hangs refuses nothing, it is only silent.
2. redis-py's `PubSub` polls before it reads: under gevent that costs more than the rest of a
   notice. It also connects anew by itself, and what was said in between nobody would know.
"""

import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import TimeoutError as RedisTimeout

from core.bus import Bus
from core.errors import BusUnavailable
from core.turns import Turn

_PING_S = 3.0
_PONG_S = 2.0
"""How long Redis may take to answer a ping."""

_WAITED_S = 0.0005


class Subscription:
    """What is said on *channels* from now on; *timeout_s* is how long Redis may take to begin.

    For one thread, which closes it. Raises `BusUnavailable`, or what redis-py and the system raise.
    """

    def __init__(self, bus: Bus, channels: Sequence[str], timeout_s: float) -> None:
        self._client = bus.connect(timeout_s=timeout_s, single=True)
        self._connection: Any = self._client.connection_pool.get_connection()
        self._turn = Turn()
        self._pinged_at = time.monotonic()
        self._unanswered = False
        try:
            self._subscribe(channels)
        except BaseException:
            self.close()
            raise

    def next(self, wait_s: float) -> tuple[str, str] | None:
        """The channel and the text of the next message; ``None`` when none came for *wait_s*.

        Raises `BusUnavailable` once Redis is silent for too long.
        """
        asked_at = time.monotonic()
        reply = self._read(wait_s)
        moment = time.monotonic()
        if moment - asked_at > _WAITED_S:
            self._turn.begin()
        else:
            self._turn.end_when_due()  # under gevent, reading what is there already never waits
        if reply:
            self._unanswered = False
        # A worker that was busy itself for long has not asked, and proves nothing.
        elif self._unanswered and moment - self._pinged_at > _PONG_S:
            raise BusUnavailable(f"it was silent for {_PING_S + _PONG_S:g} s")
        if moment - self._pinged_at > _PING_S and not self._unanswered:
            self._pinged_at, self._unanswered = moment, True
            self._connection.send_command("PING", check_health=False)
        return (reply[1], reply[2]) if reply[:1] == ["message"] else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()
        self._client.close()
        self._client.connection_pool.disconnect()

    def _subscribe(self, channels: Sequence[str]) -> None:
        """Once the first of them is confirmed, messages may come before the next confirmation."""
        self._connection.send_command("SUBSCRIBE", *channels)
        if self._read(_PING_S + _PONG_S)[:1] != ["subscribe"]:
            raise BusUnavailable("it does not answer SUBSCRIBE")

    def _read(self, timeout_s: float) -> Sequence[str]:
        """What Redis says next; empty when it says nothing for *timeout_s*."""
        try:
            reply: Sequence[str] = self._connection.read_response(
                timeout=timeout_s, disconnect_on_error=False, push_request=True
            )
        except RedisTimeout:
            return []
        return reply
