"""Chromium as it is, without a driver that keeps every tab visible and awake.

Playwright emulates the focus of each of its pages, so none of them is ever hidden, and starts
Chromium without its back/forward cache. Here the DevTools protocol is spoken over a pipe: a tab in
front hides the others, and a tab can be frozen.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.e2e.conftest import FLAGS
from tests.servers import DEADLINE_S, chromium_path, end, wait_until


class Tab:
    """One tab; of all the tabs of a browser the one in front is visible."""

    def __init__(self, browser: "TabbedBrowser", target: str) -> None:
        self._browser = browser
        self._target = target
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = str(attached["sessionId"])

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the DevTools protocol, to this tab."""
        return self._browser.send(method, self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """The value of *expression* in the page, once it is settled; fails where it throws."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, deadline_s: float = 30.0) -> None:
        """Return once *expression* holds in the page."""
        wait_until(lambda: self.evaluate(expression), expression, deadline_s)

    def go(self, url: str) -> None:
        """Open *url* and wait until its document is there."""
        self.send("Page.navigate", url=url)
        self.wait_for(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def live(self) -> None:
        """Wait until the page is live."""
        self.wait_for("document.documentElement.dataset.liveState === 'live'")

    def shows(self, text: str) -> bool:
        """Whether *text* stands on the page now."""
        return bool(self.evaluate(f"document.body.textContent.includes({json.dumps(text)})"))

    def wait_for_text(self, text: str) -> None:
        """Return once *text* stands on the page."""
        wait_until(lambda: self.shows(text), f"“{text}” on the page")

    def bring_to_front(self) -> None:
        """Make this the visible tab, and the others hidden ones."""
        self._browser.send("Target.activateTarget", targetId=self._target)
        self.wait_for("!document.hidden")

    def freeze(self) -> None:
        """Stop the tab: no script and no timer of it runs."""
        self.send("Page.setWebLifecycleState", state="frozen")

    def thaw(self) -> None:
        """Let it go on."""
        self.send("Page.setWebLifecycleState", state="active")

    def close(self) -> None:
        """Close it."""
        self._browser.send("Target.closeTarget", targetId=self._target)


# Chromium reads commands from descriptor 3 and writes answers to 4.
_STARTER = """
import os, sys
commands, answers = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2]))
for have, want in ((commands, 3), (answers, 4)):
    os.dup2(have, want)
    os.set_inheritable(want, True)
os.execv(sys.argv[3], sys.argv[3:])
"""


class TabbedBrowser:
    """``with TabbedBrowser(folder) as browser: tab = browser.tab()``, its profile in *folder*."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._folder = folder
        self._flags = flags
        self._count = 0
        self._read = b""

    def __enter__(self) -> Self:
        for_it, ours = os.pipe()
        mine, its = os.pipe()
        self._log = (self._folder / "chromium.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _STARTER, str(for_it), str(its)),
                *(chromium_path(), "--headless", "--remote-debugging-pipe"),
                *(f"--user-data-dir={self._folder}", *FLAGS, *self._flags, "about:blank"),
            ],
            pass_fds=[for_it, its],
            stderr=self._log,
        )
        os.close(for_it)
        os.close(its)
        self._commands = os.fdopen(ours, "wb", buffering=0)
        self._answers = os.fdopen(mine, "rb", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.close()
        self._answers.close()
        end(self._process)
        self._log.close()

    def tab(self) -> Tab:
        """A new empty tab, in front."""
        return Tab(self, str(self.send("Target.createTarget", url="about:blank")["targetId"]))

    def send(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """One command, and its answer; what comes in between are events, which nobody hears."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        self._commands.write(json.dumps(command).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._answers], [], [], DEADLINE_S)
            some = self._answers.read(65_536) if ready else b""
            assert some, f"no answer; {(self._folder / 'chromium.log').read_text()}"
            self._read += some
        one, _, self._read = self._read.partition(b"\0")
        answer: dict[str, Any] = json.loads(one)
        return answer
