"""Mail over TLS: to whom it is meant for, or to nobody."""

import smtplib
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core import Settings
from plugins.accounts.mail import send_mail
from tests.mailbox import Mailbox

Tls = Literal["starttls", "always"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for 127.0.0.1, which nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailbox.test")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("mail") / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture(params=["starttls", "always"])
def box(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Mailbox]:
    with Mailbox(certificate=certificate, tls=request.param) as box:
        yield box


def send(box: Mailbox, tls: Tls, **chosen: Any) -> None:
    settings = Settings(smtp_host="127.0.0.1", smtp_port=box.port, smtp_tls=tls, **chosen)
    send_mail(settings, "ann@example.test", "A link", "For one use.")


def test_a_mail_and_the_password_go_over_tls(
    box: Mailbox, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    send(box, box.tls, smtp_user="coursewire", smtp_password="a password")

    (mail,) = box.mails
    assert mail["To"] == "ann@example.test"
    assert box.clear == (["EHLO", "STARTTLS"] if box.tls == "starttls" else [])


def test_mail_goes_over_tls_or_not_at_all(box: Mailbox) -> None:
    """Somebody in the middle, whose certificate nobody vouches for, is told nothing."""
    with pytest.raises(ssl.SSLCertVerificationError):
        send(box, box.tls, smtp_user="coursewire", smtp_password="a password")

    assert box.mails == []
    assert set(box.clear) <= {"EHLO", "STARTTLS"}


def test_a_server_without_tls_gets_no_mail_and_no_password() -> None:
    """Nor does somebody in the middle who takes the offer out of the greeting."""
    with Mailbox() as box, pytest.raises(smtplib.SMTPNotSupportedError):
        send(box, "starttls", smtp_user="coursewire", smtp_password="a password")

    assert box.mails == []
    assert set(box.clear) <= {"EHLO", "QUIT"}
