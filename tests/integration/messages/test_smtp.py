"""Mails over the wire: to a real server, with TLS, and what its refusals mean."""

import socket
import threading
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage

import pytest

from app.gateways import mail
from app.gateways.mail import Bounce, MailUrlError, OutcomeUnknown, SmtpSender, TemporaryFailure
from tests.mail_server import PASSWORD, USER, Mailbox, mail_server, make_certificate
from tests.servers import PATIENCE

pytestmark = pytest.mark.processes

FROM, TO = "shop@shop.test", "ann@example.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(certificate, monkeypatch):
    """The certificate as one that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    return certificate


def message(to=TO):
    made = EmailMessage(policy=policy.SMTP)
    made["From"] = Address("Shop", "shop", "shop.test")
    local, _, domain = to.rpartition("@")
    made["To"] = Address("", local, domain)
    made["Subject"] = "Ein Gruß"
    made["Message-ID"] = "<abc@shop.test>"
    made.set_content("Grüße.\n.\nA line with a dot only.\n", cte="quoted-printable")
    return made


def send(port, to=TO, scheme="smtp", login="", query="", host="localhost"):
    url = f"{scheme}://{login}{host}:{port}{query}"
    SmtpSender(mail.read_url(url), "shop.test").send(message(to), FROM, to)


def test_a_message_arrives_encrypted_and_whole(trusted):
    mailbox = Mailbox()
    with mail_server(mailbox, trusted, auth_required=True) as port:
        send(port, login=f"{USER}:{PASSWORD}@")
    (delivery,) = mailbox.deliveries
    assert delivery[:2] == (FROM, (TO,))
    assert delivery.was_encrypted
    assert delivery.user == USER
    assert delivery.message["Subject"] == "Ein Gruß"
    assert delivery.message.get_content().splitlines() == [
        "Grüße.", ".", "A line with a dot only.",
    ]  # fmt: skip


def test_tls_from_the_first_byte(trusted):
    mailbox = Mailbox()
    context = mail_server_context(trusted)
    with mail_server(mailbox, ssl_context=context) as port:
        send(port, scheme="smtps")
    assert mailbox.deliveries[0].message["Subject"] == "Ein Gruß"


def mail_server_context(certificate):
    from ssl import PROTOCOL_TLS_SERVER, SSLContext

    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def test_a_server_without_starttls_gets_nothing_unless_the_url_says_so():
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        with pytest.raises(TemporaryFailure, match="SMTPNotSupportedError"):
            send(port)
        assert mailbox.deliveries == []
        send(port, query="?starttls=no")
    assert len(mailbox.deliveries) == 1
    assert not mailbox.deliveries[0].was_encrypted


def test_a_certificate_that_nobody_trusts_is_refused(certificate):
    mailbox = Mailbox()
    words = "certificate of the mail server is refused"
    with mail_server(mailbox, certificate) as port, pytest.raises(TemporaryFailure, match=words):
        send(port)
    assert mailbox.deliveries == []


def test_a_certificate_of_another_name_is_refused(trusted):
    mailbox = Mailbox()
    words = "certificate of the mail server is refused"
    with mail_server(mailbox, trusted) as port, pytest.raises(TemporaryFailure, match=words):
        send(port, host="127.0.0.1")
    assert mailbox.deliveries == []


def test_a_wrong_password_is_no_fault_of_the_recipient(trusted):
    with mail_server(Mailbox(), trusted) as port, pytest.raises(TemporaryFailure, match="535"):
        send(port, login=f"{USER}:wrong@")


def test_a_server_may_take_longer_to_accept_than_for_other_steps(trusted, monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT", 1.0)
    mailbox = Mailbox()
    mailbox.seconds = 1.5
    with mail_server(mailbox, trusted) as port:
        send(port)
    assert len(mailbox.deliveries) == 1


def test_what_nobody_foresaw_before_the_message_was_sent_is_known_not_to_have_arrived(
    trusted, monkeypatch
):
    monkeypatch.setattr("smtplib.SMTP.login", lambda *_args: "ä".encode("ascii"))
    mailbox = Mailbox()
    words = "UnicodeEncodeError"
    with (
        mail_server(mailbox, trusted) as port,
        pytest.raises(TemporaryFailure, match=words) as failure,
    ):
        send(port, login=f"{USER}:{PASSWORD}@")
    assert failure.type is TemporaryFailure
    assert mailbox.deliveries == []


def test_a_file_that_cannot_be_written_leaves_no_other(tmp_path, monkeypatch):
    def fail(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(TemporaryFailure):
        mail.FolderSender(tmp_path).send(message(), FROM, TO)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", ["550 5.1.1 No such user", "553 No", "521 No mail here"])
def test_a_recipient_who_is_refused_for_good_bounces(trusted, answer):
    mailbox = Mailbox()
    mailbox.to_recipients = [answer]
    with mail_server(mailbox, trusted) as port, pytest.raises(Bounce, match=answer[:3]):
        send(port)
    assert mailbox.deliveries == []


@pytest.mark.parametrize(
    ("to_recipients", "to_messages", "code"),
    [
        (["450 4.2.1 Try again later"], [], "450"),
        (["421 Closing"], [], "421"),
        (["530 5.7.0 Sign in first"], [], "530"),
        (["552 5.2.2 Mailbox full"], [], "552"),
        (["550 5.7.1 Your network is not welcome"], [], "550"),
        ([], ["451 Local error"], "451"),
        ([], ["554 5.7.1 Looks like spam"], "554"),
    ],
)
def test_other_refusals_are_for_now(trusted, to_recipients, to_messages, code):
    mailbox = Mailbox()
    mailbox.to_recipients, mailbox.to_messages = to_recipients, to_messages
    with mail_server(mailbox, trusted) as port:
        with pytest.raises(TemporaryFailure, match=code) as failure:
            send(port)
        assert failure.type is TemporaryFailure
        send(port)
    assert len(mailbox.deliveries) == 1


def test_a_server_that_is_away_or_unknown_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for host in ("127.0.0.1", "no-such-host.invalid"):
        with pytest.raises(TemporaryFailure, match="cannot be reached"):
            send(port, host=host)


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT", 0.3)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(TemporaryFailure) as failure:
        send(silent.getsockname()[1], host="127.0.0.1")
    assert failure.type is TemporaryFailure


def test_a_server_that_is_slow_to_accept_may_have_accepted(trusted, monkeypatch):
    monkeypatch.setattr(mail, "DATA_TIMEOUT", 0.5)
    mailbox = Mailbox()
    mailbox.seconds = 2.0
    with mail_server(mailbox, trusted) as port, pytest.raises(OutcomeUnknown):
        send(port)
    assert len(mailbox.deliveries) == 1


def test_an_error_after_the_message_was_accepted_is_none(trusted):
    """A server may hang up instead of answering QUIT: sent again, the message would arrive twice."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up_after_accepting, args=(server,))
        thread.start()
        send(server.getsockname()[1], host="127.0.0.1", query="?starttls=no")
        thread.join(PATIENCE)


def hang_up_after_accepting(server):
    client, _address = server.accept()
    with client, client.makefile("rb") as lines:
        client.sendall(b"220 ready\r\n")
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            lines.readline()
            client.sendall(answer)
        while lines.readline() != b".\r\n":
            pass
        client.sendall(b"250 accepted\r\n")


def test_addresses_in_other_letters(trusted):
    mailbox = Mailbox()
    with mail_server(mailbox, trusted) as port:
        send(port, to="jürgen@xn--bcher-kva.example")
    with mail_server(mailbox, trusted, enable_SMTPUTF8=False) as port:
        with pytest.raises(Bounce, match="SMTPUTF8"):
            send(port, to="jürgen@xn--bcher-kva.example")
        send(port, to="juergen@xn--bcher-kva.example")
    recipients = [delivery.recipients for delivery in mailbox.deliveries]
    assert recipients == [("jürgen@xn--bcher-kva.example",), ("juergen@xn--bcher-kva.example",)]
    to = str(mailbox.deliveries[0].message["To"]).encode("utf-8", "surrogateescape").decode()
    assert to == "jürgen@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.test", ("mail.test", 587, "", "", False, True)),
        ("smtps://a%40b:p%2Fw%3A@mail.test/", ("mail.test", 465, "a@b", "p/w:", True, False)),
        ("smtp://u:p@localhost:25?starttls=no", ("localhost", 25, "u", "p", False, False)),
    ],
)
def test_a_url_says_how(url, server):
    assert mail.read_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.test", "smtp://", "smtp://mail.test/box", "smtp://mail.test?tls=no",
        "smtp://mail.test?starttls=maybe", "smtp://mail.test:port", "smtp://mail.test:99999",
        "smtp://u:secret@mail.test?starttls=no", "mail.test",
        "smtp://u:secret%C3%A4@mail.test", "smtp://%C3%A4:secret@mail.test",
    ],
)  # fmt: skip
def test_a_url_that_says_nothing_or_too_much_is_refused(url):
    with pytest.raises(MailUrlError) as refusal:
        mail.read_url(url)
    assert "secret" not in str(refusal.value)
