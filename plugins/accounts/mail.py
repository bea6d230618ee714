"""Mail, handed to the server that the settings name: over TLS, unless they say otherwise."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import make_msgid

from core import Settings

_TIMEOUT_S = 10.0


def send_mail(settings: Settings, to: str, subject: str, text: str) -> None:
    """Hand one mail over. Raises `OSError` when the server cannot be reached, or refuses it
    (`smtplib.SMTPException`).

    It waits for the network: never call it inside a transaction.
    """
    message = EmailMessage()
    message["From"] = settings.mail_from or f"Coursewire <no-reply@{settings.smtp_host}>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain=settings.smtp_host)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    with _connection(settings) as server:
        if settings.smtp_tls == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password)
        server.send_message(message)


def _connection(settings: Settings) -> smtplib.SMTP:
    host, port = settings.smtp_host, settings.smtp_port
    if settings.smtp_tls == "always":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=context)
    return smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
