"""What owners are told goes out here: by e-mail over SMTP, and as signed webhooks. Kept until it is sent, tried for a day."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Literal, NamedTuple

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from mainstay.contract.signatures import standard_webhooks_headers
from mainstay.delivery.connection import Lost, Transport, Unsent
from mainstay.delivery.retry import Dice, backoff_us
from mainstay.model.failures import Failure, Reject, Retry
from mainstay.model.secrets import Secret
from mainstay.model.times import DAY, SECOND, iso
from mainstay.storage.database import STORE_FAILED, ask
from mainstay.storage.inbox import Inbox, InboxReader

WAITING_MAX = 1_000  # messages; what is more is not kept: nobody would read them
SHOWN_MAX = 200
KEPT_US = 30 * DAY
TRIED_US = DAY  # then it fails: by then it is no news
SEND_S_MAX = 30.0
LOOK_S = 0.5
GONE = 410  # of a webhook's address: never again (Standard Webhooks 1.0)

log = structlog.get_logger("alerts")


class Mail(NamedTuple):
    """A mail server, and whose address the mails come from. `tls`: starttls, tls or none."""

    host: str
    port: int
    tls: str
    user: str
    password: Secret | None
    sender: str


class Hook(NamedTuple):
    """An address that takes signed posts."""

    url: str
    secret: Secret


Way = Mail | Hook


class Message(Struct, frozen=True, kw_only=True):
    """What one owner is told by one way. Its id stays the same when it is sent again, so that a receiver can drop the second."""

    id: str
    at: int
    owner: str
    way: str
    to: str  # the address, or the webhook's name
    subject: str
    text: str
    causes: list[dict[str, Any]] = []
    status: Literal["waiting", "sent", "failed"] = "waiting"
    tries: int = 0
    next_at: int = 0
    why: str = ""


_message = msgspec.json.Decoder(Message).decode


class Post:
    """Sends what waits, each way beside the others. `clock` gives UTC microseconds."""

    def __init__(self, inbox: Inbox, ways: Mapping[str, Way], transport: Transport, clock: Callable[[], int], dice: Dice) -> None:
        self.inbox, self.ways, self.transport, self.clock, self.dice = inbox, ways, transport, clock, dice
        self.sent: Counter[str] = Counter()
        self.failures: dict[str, str] = {}  # way -> why its last message did not go out
        self._waiting = {one.id: one for (body,) in ask(inbox.connection, "messages_waiting", (WAITING_MAX,)) if (one := _message(body))}

    def book(self) -> dict[str, bytes]:
        """What is kept of each cause of alarm."""
        return dict(ask(self.inbox.connection, "alerts"))

    def take(self, saved: Mapping[str, bytes], dropped: Collection[str], messages: Sequence[Message]) -> None:
        """Keep what changed of the causes together with what is to be told of it, in one commit: a restart neither repeats nor forgets."""
        room = max(0, WAITING_MAX - len(self._waiting))
        if messages[room:]:
            log.error("alerts_not_kept", messages=len(messages[room:]), waiting=len(self._waiting))
        beside: list[tuple[str, Sequence[tuple[Any, ...]]]] = [
            ("save_alert", list(saved.items())), ("drop_alert", [(cause,) for cause in dropped]),
            ("save_message", [_row(one) for one in messages[:room]]), ("drop_messages", [(self.clock() - KEPT_US,)]),
        ]  # fmt: skip
        self.inbox.add([], [], beside)
        self._waiting |= {one.id: one for one in messages[:room]}

    async def run(self) -> None:
        for message in [one for one in self._waiting.values() if one.way not in self.ways]:
            self._ended(replace(message, status="failed", why=f"{message.way} is not declared any more"))
        await asyncio.gather(*(self._serve(way) for way in self.ways))

    async def _serve(self, way: str) -> None:
        while True:
            for message in [one for one in self._waiting.values() if one.way == way and one.next_at <= self.clock()]:
                try:
                    await self._try(message)
                except STORE_FAILED as failed:  # it may go out a second time, under the same id
                    log.error("alert_not_noted", id=message.id, why=str(failed))
            await asyncio.sleep(LOOK_S)

    async def _try(self, message: Message) -> None:
        try:
            await send(message, self.ways[message.way], self.transport, self.clock())
        except Failure as failure:
            self.failures[message.way] = failure.why
            now, tries = self.clock(), message.tries + 1
            over = isinstance(failure, Reject) or now - message.at > TRIED_US
            log.error("alert_not_sent", id=message.id, way=message.way, tries=tries, why=failure.why, given_up=over)
            changed = replace(message, tries=tries, why=failure.why, next_at=now + backoff_us(tries, self.dice))
            self._ended(replace(changed, status="failed" if over else "waiting"))
        else:
            self.failures.pop(message.way, None)
            self.sent[message.way] += 1
            self._ended(replace(message, status="sent", tries=message.tries + 1, why=""))

    def _ended(self, message: Message) -> None:
        self.inbox.add([], [], [("save_message", [_row(message)])])
        if message.status == "waiting":
            self._waiting[message.id] = message
        else:
            del self._waiting[message.id]

    def standing(self) -> dict[str, Any]:
        """How each way fares."""
        waiting = Counter(one.way for one in self._waiting.values())
        return {way: {"sent": self.sent[way], "waiting": waiting[way], "failure": self.failures.get(way, "")} for way in self.ways}


def _row(one: Message) -> tuple[str, int, str, bytes]:
    return one.id, one.at, one.status, msgspec.json.encode(one)


def told(outcomes: InboxReader) -> tuple[dict[str, bytes], list[Message]]:
    """What is kept of each cause of alarm, and the newest messages."""
    connection = outcomes.open()
    if connection is None:
        return {}, []
    return dict(ask(connection, "alerts")), [_message(body) for (body,) in ask(connection, "newest_messages", (SHOWN_MAX,))]


async def send(message: Message, way: Way, transport: Transport, now: int) -> None:
    """Hand a message over. Raises Retry where it surely or perhaps did not go out, Reject where it never will."""
    if isinstance(way, Hook):
        await _post(message, way, transport, now)
    else:
        await _mail(message, way)


async def _post(message: Message, hook: Hook, transport: Transport, now: int) -> None:
    data = {"id": message.id, "owner": message.owner, "subject": message.subject, "text": message.text, "causes": message.causes}
    body = msgspec.json.encode({"type": "mainstay.alert", "timestamp": iso(message.at), "data": data})
    headers = {"content-type": "application/json", **standard_webhooks_headers(hook.secret, message.id, body, now // SECOND)}
    try:
        reply = await transport.send("POST", hook.url, {}, headers, body, SEND_S_MAX)
    except (Unsent, Lost) as failed:
        raise Retry(str(failed)) from None
    if reply.status == GONE:
        raise Reject(f"{message.way} answered {GONE}: it wants no more of them")
    if not 200 <= reply.status < 300:
        raise Retry(f"{message.way} answered {reply.status}")


async def _mail(message: Message, mail: Mail) -> None:
    """smtplib blocks, so that it works in a thread of its own; one that hangs is left behind and keeps nothing from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(failure: Failure | None) -> None:
        if not done.done():
            done.set_exception(failure) if failure else done.set_result(None)

    def work() -> None:
        failure: Failure | None = None
        try:
            _hand_over(message, mail)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            failure = _judged(error, mail)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: it goes out again, under the same id
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=work, daemon=True).start()
    try:
        async with asyncio.timeout(SEND_S_MAX):
            await done
    except TimeoutError:
        raise Retry(f"{mail.host}:{mail.port} did not take the mail within {SEND_S_MAX:.0f} s") from None


def _hand_over(message: Message, mail: Mail) -> None:
    domain = mail.sender.rpartition("@")[2]
    private = ssl.create_default_context() if mail.tls != "none" else None
    if mail.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, domain, timeout=SEND_S_MAX, context=private)
    else:
        server = smtplib.SMTP(mail.host, mail.port, domain, timeout=SEND_S_MAX)
    with server:
        if mail.tls == "starttls":
            server.starttls(context=private)
        if mail.user and mail.password is not None:
            server.login(mail.user, mail.password.reveal())
        server.send_message(written(message, mail.sender))


def written(message: Message, sender: str) -> EmailMessage:
    """The mail. Message-ID is the message's own: what is sent again can be known as the same."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, message.to
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at // SECOND, UTC))
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office notes back
    mail.set_content(message.text)
    return mail


def _judged(error: Exception, mail: Mail) -> Failure:
    """A refusal of this mail for good (5xx) as Reject; all else as Retry: the server may be back, or take the password, tomorrow."""
    told = error
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        told = smtplib.SMTPResponseException(code, text)
    if isinstance(told, smtplib.SMTPResponseException):
        said = told.smtp_error.decode(errors="replace") if isinstance(told.smtp_error, bytes) else told.smtp_error
        words = f"{mail.host}:{mail.port} refused it: {told.smtp_code} {' '.join(said.split())[:200]}"
        for_good = told.smtp_code >= 500 and not isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPConnectError)
        return Reject(words) if for_good else Retry(words)
    return Retry(f"{mail.host}:{mail.port} cannot be reached: {type(error).__name__}")
