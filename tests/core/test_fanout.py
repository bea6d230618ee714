"""The fan-out under gunicorn: bad readers harm nobody, and nothing of a browser outlives it."""

import ctypes
import json
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from core import Settings
from core.bus import Bus, Notice
from tests.conftest import settings_for
from tests.servers import Gunicorn, gunicorn, missing, wait_until

KEY = "chapters:list:1"
SESSION = "coursewire_session"
"""How the name of the cookie ends: over TLS it begins with ``__Host-``."""
BIG = "x" * 4000
MP4 = bytes.fromhex("00000018667479706d70343200000000") + b"mp42isom"

OWNED = "owned sockets"
PULLED = "generators"
MOST_KB_LEFT = 4_000
"""What memory may grow by when 10,000 browsers came and went: a fourth of what they took."""

VANISHED_S = 60
"""By then a browser that takes no beat has lost its stream: twice what the kernel gives it."""

MOST_DESCRIPTORS_LEFT = 20
"""The worker's own connections to Redis and the database, which come and go."""

_BEAT_S = 1.0
_ATTACH_FILTER, _RETURN = 26, 0x06
"""``SO_ATTACH_FILTER`` of <asm-generic/socket.h>, and ``BPF_RET`` of <linux/bpf_common.h>."""

_LISTENS = "0A"
"""A state in /proc/net/tcp."""

_THREADS = "--worker-class gthread --threads 24"


@dataclass
class Site:
    """One gunicorn worker, the bus that it hears, and a signed-in user's cookie."""

    server: Gunicorn
    bus: Bus
    cookie: str

    @property
    def worker(self) -> int:
        return self.server.workers[0]

    def publish(self, key: str = KEY, trace: str = "") -> None:
        """Say that *key* changed."""
        self.bus.publish(Notice((key,), "test", trace))

    def connect(self, *keys: str, receive_buffer_bytes: int | None = None) -> "Reader":
        """Open a stream of *keys*."""
        return Reader(self.server.url, self.cookie, keys or (KEY,), receive_buffer_bytes)

    def descriptors(self) -> int:
        """How many descriptors the worker has open."""
        return len(list(Path(f"/proc/{self.worker}/fd").iterdir()))

    def memory_kb(self) -> int:
        """What the worker has in memory; pages that it shares count in full, so that a page that is
        no longer shared is no growth.
        """
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])

    def connections(self) -> int:
        """How many connections of browsers the server has not closed, whatever state they are in.

        Counted by its port: what it opens itself, to Redis and the database, comes and goes.
        """
        port = int(self.server.url.rpartition(":")[2])
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        held = [row for row in rows if int(row[1].partition(":")[2], 16) == port and row[9] != "0"]
        return sum(row[3] != _LISTENS for row in held)


class Reader:
    """A browser that reads when it is told to."""

    def __init__(
        self, url: str, cookie: str, keys: tuple[str, ...], receive_buffer_bytes: int | None = None
    ) -> None:
        address = urlsplit(url)
        self._socket = socket.socket()
        if receive_buffer_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._socket.settimeout(20)
        self._socket.connect((address.hostname, address.port))
        query = "&".join(f"key={key}" for key in keys)
        head = f"GET /live?{query} HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {cookie}\r\n\r\n"
        self._socket.sendall(head.encode())
        self._data = b""

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def vanish(self) -> None:
        """From now on nothing arrives, and nobody is told: a filter drops every segment."""
        rules = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, 0))
        program = struct.pack("HP", 1, ctypes.addressof(rules))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)

    def take_byte(self) -> None:
        """Read one byte, or learn that there are no more."""
        with suppress(ConnectionError):
            self._socket.recv(1)

    def frame(self, event: str) -> dict[str, Any]:
        """The data of the next frame with this name; others are passed over."""
        while True:
            while b"\n\n" not in self._data:
                read = self._socket.recv(65536)
                assert read, f"the stream ended before {event}"
                self._data += read
            block, self._data = self._data.split(b"\n\n", 1)
            fields = dict(
                line.split(": ", 1) for line in block.decode().splitlines() if ": " in line
            )
            if fields.get("event") == event:
                data: dict[str, Any] = json.loads(fields["data"])
                return data

    def everything(self) -> str:
        """All that comes until the stream ends."""
        while read := self._socket.recv(65536):
            self._data += read
        return self._data.decode()


@pytest.fixture
def start(tmp_path: Path, filled_sqlite: Path, valkey: str) -> Iterator[Callable[..., Any]]:
    """Starts a site: ``with start(stall_s="1") as site``."""
    shutil.copytree(filled_sqlite, tmp_path / "var")
    settings = settings_for(f"sqlite:///{tmp_path / 'var' / 'db.sqlite3'}", valkey, tmp_path)
    bus = Bus(settings)

    @contextmanager
    def started(carrier: str = OWNED, arguments: str = "", **chosen: str) -> Iterator[Site]:
        environment = environment_of(settings) | {
            f"COURSEWIRE_{name.upper()}": value for name, value in chosen.items()
        }
        if carrier == PULLED:
            arguments += _THREADS
        environment |= {"GUNICORN_CMD_ARGS": arguments, "WEB_CONCURRENCY": "1"}
        scheme = "https" if "--certfile" in arguments else "http"
        with gunicorn(tmp_path, scheme=scheme, **environment) as server:
            yield Site(server, bus, sign_in(server.url))

    yield started
    bus.close()


def environment_of(settings: Settings) -> dict[str, str]:
    return {
        "COURSEWIRE_DATABASE_URL": settings.database_url,
        "COURSEWIRE_REDIS_URL": settings.redis_url,
        "COURSEWIRE_REDIS_PREFIX": settings.redis_prefix,
        "COURSEWIRE_UPLOAD_DIR": str(settings.upload_dir),
    }


def sign_in(url: str) -> str:
    """The cookie of a signed-in owner."""
    with httpx.Client(base_url=url, verify=False) as client:  # noqa: S501  a certificate of its own
        body = {"email": "owner@example.test", "password": "demo"}
        client.post("/a/accounts/sign-in", json=body).raise_for_status()
        cookies = client.cookies.items()
        return "; ".join(f"{name}={value}" for name, value in cookies if name.endswith(SESSION))


@pytest.mark.parametrize("carrier", [OWNED, PULLED])
def test_a_notice_reaches_those_who_watch_its_key_and_nobody_else(
    start: Callable[..., Any], carrier: str
) -> None:
    with start(carrier, heartbeat_s="0.5") as site:
        one, two = site.connect(KEY, "media:list"), site.connect()
        other = site.connect("courses:detail:1")
        with closing(one), closing(two), closing(other):
            for reader in (one, two, other):
                reader.frame("hello")

            site.publish(trace="first")

            assert one.frame("stale") == stale(["chapters", "list", 1], trace="first")
            assert two.frame("stale") == stale(["chapters", "list", 1], trace="first")
            site.publish("courses:detail:1", trace="second")
            assert other.frame("stale")["trace"] == "second"


@pytest.mark.parametrize("carrier", [OWNED, PULLED])
def test_a_prefix_names_all_its_keys_in_one_frame(start: Callable[..., Any], carrier: str) -> None:
    with start(carrier) as site, closing(site.connect(KEY, "chapters:outline:1")) as reader:
        reader.frame("hello")

        site.publish("chapters")

        keys = reader.frame("stale")["keys"]
        assert sorted(keys) == [["chapters", "list", 1], ["chapters", "outline", 1]]


@pytest.mark.parametrize("carrier", [OWNED, PULLED])
def test_a_worker_that_is_told_to_end_says_bye_first(
    start: Callable[..., Any], carrier: str
) -> None:
    with start(carrier) as site, closing(site.connect()) as reader:
        reader.frame("hello")

        site.server.process.terminate()

        assert reader.frame("bye")["reason"] == "drain"
        assert "event" not in reader.everything()


def test_a_browser_that_never_reads_delays_nobody_and_is_closed(
    start: Callable[..., Any],
) -> None:
    with (
        start(stall_s="0.5", heartbeat_s="0.5") as site,
        closing(site.connect(receive_buffer_bytes=4096)),
        closing(site.connect()) as good,
    ):
        good.frame("hello")

        for number in range(100):
            site.publish(trace=f"{number} {BIG}")
            assert good.frame("stale")["trace"].split()[0] == str(number)

        good.frame("beat")
        wait_until(lambda: site.connections() == 1, "end of the stalled stream")


def test_a_browser_that_cannot_keep_up_is_told_so_in_whole_frames(
    start: Callable[..., Any],
) -> None:
    with start(stall_s="0.2", heartbeat_s="10") as site:
        slow, good = site.connect(receive_buffer_bytes=4096), site.connect()
        with closing(slow), closing(good):
            good.frame("hello")
            for number in range(100):
                site.publish(trace=f"{number} {BIG}")
                good.frame("stale")
            limit = time.monotonic() + 0.5
            wait_until(lambda: time.monotonic() > limit, "moment beyond the stall limit")

            ending = slow.everything().rsplit("\n\n", 2)

        assert ending[-1] == ""
        assert 'event: bye\ndata: {"reason":"slow"' in ending[-2]


@pytest.mark.timeout(300)
def test_beats_keep_their_time_beside_browsers_that_drip_vanish_and_come_and_go(
    start: Callable[..., Any],
) -> None:
    limits = {"streams_per_user": "1000", "streams_per_address": "1000"}
    with (
        start(stall_s="3", heartbeat_s=str(_BEAT_S), **limits) as site,
        closing(site.connect(receive_buffer_bytes=4096)) as dripping,
        closing(site.connect("courses:detail:1")) as vanished,
        closing(site.connect()) as good,
        ThreadPoolExecutor() as pool,
    ):
        for reader in (dripping, vanished, good):
            reader.frame("hello")
        vanished.vanish()
        ended = threading.Event()
        arrivals = pool.submit(arrivals_of_beats, good, ended)
        try:
            while site.connections() > 1:
                site.publish(trace=BIG)
                dripping.take_byte()
                come_and_go(site, 100)
                wait_until(lambda: site.connections() <= 3, "end of those who came and went")
        finally:
            ended.set()

        moments = arrivals.result()
        assert max(later - one for one, later in pairwise(moments)) < _BEAT_S + 1
        assert moments[-1] - moments[0] < VANISHED_S


def arrivals_of_beats(reader: Reader, ended: threading.Event) -> list[float]:
    """When each beat came, until *ended*."""
    moments = []
    while not ended.is_set():
        reader.frame("beat")
        moments.append(time.monotonic())
    return moments


def test_nothing_of_ten_thousand_browsers_outlives_them(start: Callable[..., Any]) -> None:
    with start(streams_per_user="1000", streams_per_address="1000") as site:
        come_and_go(site, 2_000)  # what the worker opens and allocates once, it has now
        wait_until(lambda: site.connections() == 0, "end of the first streams")
        memory_kb, descriptors = site.memory_kb(), site.descriptors()

        come_and_go(site, 10_000)

        wait_until(lambda: site.connections() == 0, "end of ten thousand streams")
        assert site.descriptors() < descriptors + MOST_DESCRIPTORS_LEFT
        assert site.memory_kb() - memory_kb < MOST_KB_LEFT
        with closing(site.connect()) as last:
            last.frame("hello")
            site.publish()
            last.frame("stale")


def come_and_go(site: Site, count: int) -> None:
    """Open *count* streams, a hundred at a time, and leave once each said hello."""
    for _ in range(count // 100):
        readers = [site.connect() for _ in range(100)]
        for reader in readers:
            reader.frame("hello")
            reader.close()


@pytest.mark.parametrize("carrier", [OWNED, PULLED])
def test_the_access_log_has_a_line_for_each_stream(
    start: Callable[..., Any], tmp_path: Path, carrier: str
) -> None:
    log = tmp_path / "access.log"
    with start(carrier, access_log=str(log), heartbeat_s="0.5") as site:
        with closing(site.connect(KEY, "media:list")) as reader:
            reader.frame("hello")
            site.publish()
            reader.frame("stale")

        wait_until(lambda: "stream user=" in log.read_text(), "line of the stream")

    (line,) = (line for line in log.read_text().splitlines() if "stream user=" in line)
    message = json.loads(line)["message"]
    said = re.fullmatch(r"stream user=\d+ keys=2 seconds=\d+\.\d frames=(\d+)", message)
    assert said is not None, line
    assert int(said[1]) >= 2


def test_more_streams_than_the_limits_are_refused_with_a_time_to_come_back(
    start: Callable[..., Any],
) -> None:
    with start(streams_per_user="2") as site:
        one, two = site.connect(), site.connect()
        with closing(one), closing(two):
            one.frame("hello")
            two.frame("hello")

            address, headers = f"{site.server.url}/live?key={KEY}", {"Cookie": site.cookie}
            refused = httpx.get(address, headers=headers)

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["detail"].startswith("You have too many streams open.")


@pytest.mark.parametrize("protocols", ["h1", "h2,h1"], ids=["HTTP/1.1", "HTTP/2"])
def test_under_tls_the_stream_falls_back_by_itself(
    start: Callable[..., Any], tmp_path: Path, protocols: str
) -> None:
    arguments = f"{certificate(tmp_path)} --http-protocols {protocols}"

    with start(arguments=arguments) as site:
        with httpx.Client(http2="h2" in protocols, verify=False, timeout=20) as client:  # noqa: S501
            address = f"{site.server.url}/live?key={KEY}"
            with client.stream("GET", address, headers={"Cookie": site.cookie}) as stream:
                lines = stream.iter_lines()
                assert any("event: hello" in line for line in lines)
                site.publish(trace="over TLS")
                assert any("over TLS" in line for line in lines)
                assert stream.http_version == ("HTTP/2" if "h2" in protocols else "HTTP/1.1")
        # The connection was never the hub's own: the worker still serves.
        assert httpx.get(f"{site.server.url}/healthz", verify=False).status_code == 200  # noqa: S501


def certificate(folder: Path) -> str:
    """gunicorn's arguments for a certificate of its own, made in *folder*."""
    if shutil.which("openssl") is None:
        missing("openssl", "apt-get install openssl")
    key, chain = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    return f"--certfile {chain} --keyfile {key}"


def test_a_fast_upload_holds_up_nobody(start: Callable[..., Any]) -> None:
    with start() as site, ThreadPoolExecutor() as pool:
        upload = pool.submit(upload_quickly, site, 300_000_000)
        answers = 0
        while not upload.done():
            httpx.get(f"{site.server.url}/healthz", timeout=60).raise_for_status()
            answers += 1

    assert b" 200 " in upload.result()
    assert answers > 10


def upload_quickly(site: Site, size_bytes: int) -> bytes:
    """Send a file as quickly as the machine can; returns the first line of the answer."""
    address = urlsplit(site.server.url)
    head = b"--b\r\nContent-Disposition: form-data; name=file; filename=a.mp4\r\n\r\n"
    body = head + MP4 + bytes(size_bytes) + b"\r\n--b--\r\n"
    request = (
        f"POST /a/media/upload HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {site.cookie}\r\n"
        f"Accept: application/json\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(request.encode())
        connection.sendall(body)
        return connection.recv(65536).partition(b"\r\n")[0]


def stale(*keys: list[Any], trace: str) -> dict[str, Any]:
    return {"keys": list(keys), "cause": "test", "trace": trace, "spread_ms": 0}
