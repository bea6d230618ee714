"""A mail server for tests: SMTP (RFC 5321) over a plain socket, as much of it as smtplib speaks."""

import socketserver
import threading
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage
from functools import partial
from typing import Any, Self


@dataclass
class Mailbox:
    """What was sent, oldest first. ``refusals``: so many mails are refused first, for a while."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refusals: int = 0

    def __enter__(self) -> Self:
        self._server = socketserver.ThreadingTCPServer(
            ("127.0.0.1", 0), partial(_Conversation, self)
        )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Conversation(socketserver.StreamRequestHandler):
    def __init__(self, box: Mailbox, *of_the_server: Any) -> None:
        self.box = box
        super().__init__(*of_the_server)

    def handle(self) -> None:
        self._say("220 mailbox.test")
        while line := self.rfile.readline().decode().strip():
            match line.upper().split()[0]:
                case "EHLO":
                    self._say("250 mailbox.test")
                case "DATA":
                    self._say("354 go on")
                    self._take()
                case "QUIT":
                    self._say("221 bye")
                    return
                case "MAIL" if self.box.refusals > 0:
                    self.box.refusals -= 1
                    self._say("451 not now")
                case _:
                    self._say("250 ok")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line.removeprefix(".") if line.startswith("..") else line)
        mail = message_from_string("".join(lines), policy=policy.default)
        self.box.mails.append(mail)
        self._say("250 taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
