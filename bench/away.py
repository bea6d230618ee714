"""What a write costs more while Redis is away: ``make bench-away``.

Four writers rename four chapters of a course, on two workers, first with Redis, then while it
hangs (takes connections, answers nothing: the worst way to be away), then while it refuses them.
``extra`` is what the same percentile costs more than with Redis; the first second of an outage,
in which each worker learns of it, is told apart. After each part Redis comes back:
``converged_s`` is when a stream says ``restored``, after which nothing that was written meanwhile
is owed any more (or, where Redis lost its data, sends its browser to read everything again).

Prints, last, one JSON line. ``SECONDS=10`` is how long each part takes.
"""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from core import Settings, create_app
from core.demo import fill_if_empty
from core.migrations import upgrade_all
from tests.core.listening import Listening, listening
from tests.servers import Gunicorn, RedisServer, gunicorn, redis_server

_WRITERS = 4
_LEARNED_S = 1.5
"""In which a worker learns that Redis is away: two late answers."""
_TARGET_MS = 300
_TARGET_S = 5


def main() -> None:
    """Measure, and print."""
    seconds = float(os.environ.get("SECONDS") or "10")
    with (
        tempfile.TemporaryDirectory(prefix="cw-away-") as folder,
        redis_server("valkey") as redis,
        _site(Path(folder), redis) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        body = {"email": "owner@example.test", "password": "demo"}
        client.post("/a/accounts/sign-in", json=body).raise_for_status()
        chapters = _chapters(client)
        with listening(client, "chapters:list:1") as stream:
            well = _write(server, client.cookies, chapters, seconds)
            redis.freeze()
            learning = _write(server, client.cookies, chapters, _LEARNED_S)
            hung = _write(server, client.cookies, chapters, seconds)
            hung_converged_s = _time_to_restored(stream, redis.thaw)
            redis.kill()
            learning += _write(server, client.cookies, chapters, _LEARNED_S)
            refused = _write(server, client.cookies, chapters, seconds)
            refused_converged_s = _time_to_restored(stream, redis.start)
    result = {
        "writers": _WRITERS,
        "writes": {"well": len(well), "hung": len(hung), "refused": len(refused)},
        "well_ms": _percentiles(well),
        "learning_ms": _percentiles(learning),
        "hung_extra_ms": _extra(hung, well),
        "refused_extra_ms": _extra(refused, well),
        "converged_s": {"hung": hung_converged_s, "refused": refused_converged_s},
    }
    target = f"p99 extra <= {_TARGET_MS} ms once known, converged <= {_TARGET_S} s"
    sys.stdout.write(f"target: {target}\n{json.dumps(result)}\n")


@contextmanager
def _site(folder: Path, redis: RedisServer) -> Iterator[Gunicorn]:
    """Two workers on SQLite with the demonstration data, and the default timeouts."""
    database_url = f"sqlite:///{folder / 'db.sqlite3'}"
    settings = Settings(
        secret_key="bench",  # noqa: S106  nobody signs in from elsewhere
        database_url=database_url,
        redis_url=redis.url,
        upload_dir=folder / "uploads",
    )
    app = create_app(settings)
    upgrade_all(app)
    fill_if_empty(app)
    app.extensions["coursewire"].stop()
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url,
        "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
        "COURSEWIRE_ACTIONS_PER_USER": "1000000",
        "COURSEWIRE_ACTIONS_PER_ADDRESS": "1000000",
        "WEB_CONCURRENCY": "2",
    }
    with gunicorn(folder, **environment) as server:
        yield server


def _chapters(client: httpx.Client) -> list[int]:
    """As many chapters of course 1 as there are writers."""
    found = [int(chapter["id"]) for chapter in client.get("/q/chapters/list/1").json()]
    while len(found) < _WRITERS:
        body = {"course_id": 1, "title": f"Chapter {len(found)}"}
        answer = client.post("/a/chapters/add", json=body).raise_for_status()
        found.append(int(answer.json()["result"]["id"]))
    return found[:_WRITERS]


def _write(
    server: Gunicorn, cookies: Mapping[str, str], chapters: list[int], seconds: float
) -> list[float]:
    """How long each write took, in milliseconds."""
    took_ms: list[float] = []
    threads = [
        threading.Thread(
            target=_rename_for, args=(server.url, dict(cookies), chapter, seconds, took_ms)
        )
        for chapter in chapters
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took_ms


def _rename_for(
    url: str, cookies: dict[str, str], chapter_id: int, seconds: float, took_ms: list[float]
) -> None:
    with ExitStack() as closing:
        client = closing.enter_context(httpx.Client(base_url=url, cookies=cookies, timeout=30))
        chapters = client.get("/q/chapters/list/1").json()
        title = next(chapter["title"] for chapter in chapters if chapter["id"] == chapter_id)
        until = time.monotonic() + seconds
        number = 0
        while time.monotonic() < until:
            number += 1
            new = f"Title {number % 10}"
            body = {"chapter_id": chapter_id, "title": new, "was": {"title": title}}
            begun = time.perf_counter()
            answer = client.post("/a/chapters/rename", json=body)
            took_ms.append((time.perf_counter() - begun) * 1000)
            answer.raise_for_status()
            title = new
            time.sleep(0.02)


def _time_to_restored(stream: Listening, back: Callable[[], None]) -> float:
    back()
    begun = time.monotonic()
    while stream.next().event not in ("restored", "bye"):
        pass
    return round(time.monotonic() - begun, 2)


def _percentiles(took_ms: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(took_ms, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(took_ms), 1)}


def _extra(away_ms: list[float], well_ms: list[float]) -> dict[str, float]:
    away, well = _percentiles(away_ms), _percentiles(well_ms)
    return {name: round(value - well[name], 1) for name, value in away.items()}


if __name__ == "__main__":
    main()
