"""The Procfile's own commands, run as a Heroku-style platform runs them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.servers import end, free_port, wait_until

pytestmark = pytest.mark.serve

ROOT = Path(__file__).resolve().parent.parent


def command(process: str) -> str:
    """The Procfile's command, but reachable from this machine only."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    commands = dict(line.split(": ", 1) for line in lines)
    return commands[process].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - replaced, not bound


def environment(folder: Path, valkey: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SECRET_KEY": "a key for tests",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "REDIS_URL": valkey,
        "COURSEWIRE_REDIS_PREFIX": f"test-{folder.name}"[:40],
        "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
        "PORT": str(free_port()),
    }


def test_a_release_may_be_repeated_and_its_plugin_check_has_no_warning(
    tmp_path: Path, valkey: str
) -> None:
    env = environment(tmp_path, valkey)

    for _ in range(2):
        result = subprocess.run(
            ["/bin/sh", "-c", command("release")],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

        assert result.returncode == 0, result.stderr
        assert result.stderr == ""


def test_a_released_web_process_gets_ready_and_ends_soon_when_all_its_processes_are_told_twice(
    tmp_path: Path, valkey: str
) -> None:
    env = environment(tmp_path, valkey)
    subprocess.run(["/bin/sh", "-c", command("release")], cwd=ROOT, env=env, check=True)
    url = f"http://127.0.0.1:{env['PORT']}"
    with (tmp_path / "log").open("wb") as output:
        web = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command('web')}"],
            cwd=ROOT,
            env=env,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: is_ready(url), "readiness")
        with httpx.Client(base_url=url) as browser:
            browser.get("/healthz")  # a connection that is kept open

            begun = time.monotonic()
            os.killpg(web.pid, signal.SIGTERM)
            os.killpg(web.pid, signal.SIGTERM)
            exit_code = web.wait(30)
            took_s = time.monotonic() - begun
    finally:
        end(web)

    log = (tmp_path / "log").read_text()
    assert exit_code == 0, log
    assert took_s < 10, log
    assert "Traceback" not in log


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
