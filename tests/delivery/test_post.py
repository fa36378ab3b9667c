"""Alerts leave by e-mail and by webhook: kept until they are sent, tried again, never for ever; the same id each time."""

import asyncio
import json
import random
import shutil
import ssl
import subprocess
from contextlib import suppress

import pytest

from mainstay.delivery.http import Http
from mainstay.delivery.post import Hook, Mail, Message, Post, send, told, written
from mainstay.model.failures import Reject, Retry
from mainstay.model.secrets import Secret
from mainstay.model.times import DAY, SECOND
from mainstay.proof.town import free_port
from mainstay.storage.inbox import Inbox, InboxReader
from tests.mailbox import mailbox, receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Clock:
    """Real time, and a step that tests take."""

    def __init__(self):
        import time

        self.ahead, self._now = 0, lambda: time.time_ns() // 1_000

    def __call__(self):
        return self._now() + self.ahead


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def box():
    with mailbox() as box:
        yield box


@pytest.fixture
def pager():
    with receiver(SECRET) as pager:
        yield pager


def mail(box, **more):
    return Mail("127.0.0.1", box.port, "none", "", None, "mainstay@shop.example")._replace(**more)


def message(clock, way="smtp", **more):
    told = {
        "id": "msg_1",
        "at": clock(),
        "owner": "ops",
        "to": "ops@shop.example",
        "subject": "Größe\r\nBcc: x@y.example",
        "text": "Zeile\n.\n",
    }
    return Message(way=way, **(told | more))


def sent(message, way, clock):
    async def go():
        transport = Http()
        try:
            await send(message, way, transport, clock())
        finally:
            await transport.close()

    asyncio.run(go())


def run(path, ways, clock, until, *messages, post=None):
    """A Post over the file for as long as it takes. What it leaves is in the file alone."""

    async def go():
        inbox, transport = Inbox(path), Http()
        post = Post(inbox, ways, transport, clock, random.Random(1))
        if messages:
            post.take({}, (), messages)
        work = asyncio.create_task(post.run())
        async with asyncio.timeout(10):
            while not until(post):
                await asyncio.sleep(0.02)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await transport.close()
        inbox.close()

    asyncio.run(go())
    return told(InboxReader(path))[1]


def test_a_mail_arrives_as_it_was_written(box, clock):
    sent(message(clock), mail(box, user="mainstay", password=Secret("canary")), clock)
    (arrived,) = box.mails
    assert arrived["subject"] == "Größe Bcc: x@y.example" and arrived["bcc"] is None, "a subject is one line"
    assert box.texts() == ["Zeile\n.\n"] and arrived["message-id"] == "<msg_1@shop.example>" and len(box.logins) == 1


@pytest.mark.parametrize(
    ("refused", "kind", "why"),
    [
        ({"RCPT": "550 no such user"}, Reject, "550 no such user"),
        ({"RCPT": "451 greylisted"}, Retry, "451 greylisted"),
        ({"MAIL": "553 not your address"}, Reject, "553 not your address"),
        ({"DATA": "452 full"}, Retry, "452 full"),
        ({"AUTH": "535 wrong password"}, Retry, "535 wrong password"),
    ],
)
def test_what_a_mail_server_refuses(box, clock, refused, kind, why):
    box.refuse = refused
    with pytest.raises(kind, match=why):
        sent(message(clock), mail(box, user="mainstay", password=Secret("canary")), clock)
    assert box.mails == []


def test_nobody_listens(clock):
    with pytest.raises(Retry, match="cannot be reached: ConnectionRefusedError"):
        sent(message(clock), Mail("127.0.0.1", free_port(), "none", "", None, "m@shop.example"), clock)


def test_a_server_that_speaks_no_tls_gets_no_mail(box, clock):
    with pytest.raises(Retry, match=r"STARTTLS|cannot be reached"):
        sent(message(clock), mail(box, tls="starttls", user="mainstay", password=Secret("canary")), clock)
    assert box.mails == [] and box.logins == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed but itself, and its file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, *made], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_mail_and_the_password_go_privately_to_a_server_that_is_known(certificate, monkeypatch, clock, tls):
    context, file = certificate
    with mailbox(context, tls=tls == "tls") as box:
        way = mail(box, tls=tls, user="mainstay", password=Secret("canary"))
        with pytest.raises(Retry, match="SSLCertVerificationError"):  # nobody vouches for it
            sent(message(clock), way, clock)
        assert box.mails == [] and box.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file))  # as a machine's own list would have it
        sent(message(clock), way, clock)
        assert len(box.mails) == len(box.logins) == 1


def test_a_webhook_is_signed_and_can_be_told_apart_when_it_comes_again(pager, clock):
    one = message(clock, "pager", causes=[{"cause": "letters/a", "why": "new"}])
    sent(one, Hook(pager.url, Secret(SECRET)), clock)
    sent(one, Hook(pager.url, Secret(SECRET)), clock)
    assert [name for name, _ in pager.posts] == ["msg_1", "msg_1"]
    body = json.loads(pager.posts[0][1])
    assert body["type"] == "mainstay.alert" and body["data"]["causes"] == [{"cause": "letters/a", "why": "new"}]


@pytest.mark.parametrize(("status", "kind"), [(500, Retry), (404, Retry), (302, Retry), (410, Reject)])
def test_what_a_receiver_refuses(pager, clock, status, kind):
    pager.status = status
    with pytest.raises(kind, match=str(status)):
        sent(message(clock, "pager"), Hook(pager.url, Secret(SECRET)), clock)


def test_with_another_secret_nothing_is_taken(pager, clock):
    with pytest.raises(Retry):
        sent(message(clock, "pager"), Hook(pager.url, Secret("whsec_AAAA")), clock)
    assert pager.posts == []


def test_it_is_tried_again_until_it_goes_out_and_one_way_does_not_hold_up_another(tmp_path, box, pager, clock):
    box.refuse = {"MAIL": "451 later"}
    ways = {"smtp": mail(box), "pager": Hook(pager.url, Secret(SECRET))}
    both = message(clock), message(clock, "pager", id="msg_2")

    def tried(post):
        return pager.posts and "451 later" in post.standing()["smtp"]["failure"]

    found = run(tmp_path / "outcomes.db", ways, clock, tried, *both)
    assert {one.id: one.status for one in found} == {"msg_1": "waiting", "msg_2": "sent"}
    box.refuse = {}
    clock.ahead = 600 * SECOND  # a restart later
    (one, _) = sorted(run(tmp_path / "outcomes.db", ways, clock, lambda post: post.sent["smtp"]), key=lambda one: one.id)
    assert (one.status, one.why, len(box.mails), len(pager.posts)) == ("sent", "", 1, 1)
    assert one.tries >= 2


def test_after_a_day_it_is_no_news(tmp_path, clock):
    nowhere = {"smtp": Mail("127.0.0.1", free_port(), "none", "", None, "m@shop.example")}
    old = message(clock, at=clock() - DAY)
    (one,) = run(tmp_path / "outcomes.db", nowhere, clock, lambda post: not post.standing()["smtp"]["waiting"], old)
    assert one.status == "failed" and "cannot be reached" in one.why


def test_a_way_that_is_not_declared_any_more(tmp_path, clock):
    inbox = Inbox(tmp_path / "outcomes.db")
    Post(inbox, {}, None, clock, random.Random(1)).take({}, (), [message(clock, "pager")])
    inbox.close()
    (one,) = run(tmp_path / "outcomes.db", {}, clock, lambda post: not post._waiting)
    assert (one.status, one.why) == ("failed", "pager is not declared any more")


def test_the_mail_names_no_password(clock):
    assert "canary" not in written(message(clock), "m@shop.example").as_string()
    assert "canary" not in repr(Mail("h", 1, "none", "u", Secret("canary"), "m@shop.example"))
