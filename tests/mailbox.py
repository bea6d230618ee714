"""A mail server for tests: SMTP (RFC 5321) over a plain socket, as much of it as smtplib speaks."""

import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self


@dataclass
class Mailbox:
    """What was sent, oldest first. ``refusals``: so many mails are refused first, for a while.

    With a ``certificate`` (a file that holds its key too) it speaks TLS, from the first byte or
    after STARTTLS. ``clear`` is what it was told before that.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refusals: int = 0
    certificate: Path | None = None
    tls: Literal["starttls", "always"] = "starttls"
    clear: list[str] = field(default_factory=list)

    def secured(self, connection: Any) -> ssl.SSLSocket:
        """*connection* under TLS."""
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        return context.wrap_socket(connection, server_side=True)

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
        self.secure = False
        if self.box.certificate is not None and self.box.tls == "always" and not self._secure():
            return
        self._say("220 mailbox.test")
        while line := self.rfile.readline().decode().strip():
            word = line.upper().split()[0]
            if not self.secure:
                self.box.clear.append(word)
            if not self._answer(word):
                return

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def _answer(self, word: str) -> bool:
        """Whether the conversation goes on."""
        match word:
            case "EHLO":
                offered = self.box.certificate is not None and not self.secure
                self._say(
                    "250-mailbox.test\r\n250 STARTTLS"
                    if offered
                    else "250-mailbox.test\r\n250 AUTH PLAIN"
                )
            case "STARTTLS":
                self._say("220 go on")
                return self._secure()
            case "AUTH":
                self._say("235 welcome")
            case "DATA":
                self._say("354 go on")
                self._take()
            case "QUIT":
                self._say("221 bye")
                return False
            case "MAIL" if self.box.refusals > 0:
                self.box.refusals -= 1
                self._say("451 not now")
            case _:
                self._say("250 ok")
        return True

    def _secure(self) -> bool:
        """Go on under TLS; whether the other side wants to."""
        try:
            connection = self.box.secured(self.request)
        except OSError:
            return False
        self.connection = self.request = connection
        self.rfile, self.wfile = connection.makefile("rb"), connection.makefile("wb")
        self.secure = True
        return True

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line.removeprefix(".") if line.startswith("..") else line)
        mail = message_from_string("".join(lines), policy=policy.default)
        self.box.mails.append(mail)
        self._say("250 taken")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
        self.wfile.flush()
