"""Ordinary requests, in a process of their own: ``python -m bench.asking PORT TARGET COOKIE …``.

``… CLIENTS EVERY_S SECONDS``: each of CLIENTS asks every EVERY_S seconds (0: again at once), over
one connection, for SECONDS. Prints how long each answer took, in milliseconds, as JSON.
"""

import http.client
import json
import sys
import threading
import time


def main() -> None:
    """Ask, and print."""
    port, target, cookie, clients, every_s, seconds = sys.argv[1:]
    took_ms: list[float] = []
    threads = [
        threading.Thread(
            target=_ask, args=(int(port), target, cookie, float(every_s), float(seconds), took_ms)
        )
        for _ in range(int(clients))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps(took_ms))


def _ask(
    port: int, target: str, cookie: str, every_s: float, seconds: float, took_ms: list[float]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.perf_counter()
        connection.request("GET", target, headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        took_s = time.perf_counter() - begun
        if answer.status != 200:
            raise SystemExit(f"GET {target} is answered {answer.status}")
        took_ms.append(round(took_s * 1000, 3))
        time.sleep(max(0.0, every_s - took_s))
    connection.close()


if __name__ == "__main__":
    main()
