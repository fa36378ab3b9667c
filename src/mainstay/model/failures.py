"""Five kinds of failure, each with one answer: Retry, Unknown, Reject, Halt, and bugs (every other exception).

Whoever raises one knows the kind; nobody parses messages. The text names what, which, and what to do next.
"""

from __future__ import annotations

from typing import NamedTuple

from mainstay.model.cards import redacted


class Failure(Exception):
    """Something the machine knows how to act on. `code` is one of CODES. `why` is stored and logged, and may quote what others wrote.

    `lingers_s`: for so many seconds what was asked may still take effect, as nobody told the other side to stop.
    """

    code = "failed"
    lingers_s = 0.0

    def __init__(self, why: str, code: str | None = None) -> None:
        why = redacted(why.encode(errors="replace")).decode()
        super().__init__(why)
        self.why = why
        if code is not None:
            self.code = code
        assert self.code in CODES, f"failure code {self.code!r} is not declared in model.failures.CODES"


class Retry(Failure):
    """Surely not applied, or safe to repeat under its key: wait, then try again."""

    code = "try_again"

    def __init__(self, why: str, after_s: float | None = None, code: str | None = None) -> None:
        super().__init__(why, code)
        self.after_s = after_s


class Unknown(Failure):
    """May have been applied: look it up before anything else."""

    code = "outcome_unknown"


class Reject(Failure):
    """This message can never succeed as it stands: park it where a person sees it, carry on."""

    code = "rejected"


class Halt(Failure):
    """This connection cannot work until a person acts: stop it, keep its messages, tell."""

    code = "connection_halted"


class Forged(Reject):
    """A delivery whose signature does not prove its sender: refused at the door, never stored."""

    code = "signature_invalid"


class Code(NamedTuple):
    """What a failure code means to the person who meets it."""

    meaning: str
    whose: str  # "ours" (mapping, configuration) or "theirs" (the sender's data, the counterparty)
    next: str


CODES: dict[str, Code] = {
    "failed": Code("Something failed without a more precise code.", "ours", "Read the reason; retry once the cause is gone."),
    "try_again": Code("The call was surely not applied, or repeating it is safe.", "theirs", "Nothing: it is retried with back-off."),
    "rate_limited": Code("The other side asked us to slow down.", "theirs", "Nothing: it is retried when the limit allows."),
    "breaker_open": Code("The system failed repeatedly; calls pause and probe.", "theirs", "Nothing: calls resume after a probe succeeds."),
    "outcome_unknown": Code(
        "The effect may have been applied; we did not hear.", "theirs", "Nothing: it is looked up; if that fails, a person decides."
    ),
    "rejected": Code(
        "The other side refused the request as it stands.", "theirs", "Read the reason, repair the cause, then retry or suppress."
    ),
    "connection_halted": Code(
        "Credentials or permissions do not work.",
        "ours",
        "Renew the secret or permission and restart: messages are kept, and go on by themselves.",
    ),
    "not_ready": Code("Mainstay itself cannot start or answer here yet.", "ours", "Do what the sentence says, then ask again."),
    "signature_missing": Code("A delivery came without its signature.", "theirs", "Check that the sender signs; it was refused."),
    "signature_invalid": Code("A delivery's signature is wrong for these bytes.", "theirs", "Check the shared secret on both sides."),
    "timestamp_stale": Code("A signed delivery is too old or from the future.", "theirs", "Check the clocks; the sender will send again."),
    "payload_too_large": Code("A body is larger than the limit.", "theirs", "Raise `max_body_bytes` if it is legitimate."),
    "encoding_broken": Code("A body could not be decompressed or its encoding is unknown.", "theirs", "Ask the sender; it was refused."),
    "not_utf8": Code("A body is not UTF-8 text.", "theirs", "Ask the sender for UTF-8."),
    "json_syntax": Code("A body is not JSON.", "theirs", "Look at the raw body; ask the sender."),
    "not_an_object": Code("The JSON is not an object where one is due.", "theirs", "Look at the raw body; ask the sender."),
    "too_deep": Code("The JSON is nested deeper than the limit.", "theirs", "Look at the raw body; ask the sender."),
    "schema": Code(
        "A field is missing or of another type than the vendor documents.",
        "theirs",
        "Compare with the vendor's change log; adapt the mapping.",
    ),
    "id_missing": Code("The message does not say which object it speaks of.", "theirs", "Look at the raw body; ask the sender."),
    "unknown_topic": Code("This connector does not know the topic.", "ours", "Unsubscribe the topic, or teach the connector."),
    "not_business": Code(
        "The message carries no order, stock, price, customer or money.", "ours", "Nothing: it is kept and may be ignored."
    ),
    "not_declared": Code(
        "A delivery of a kind that no flow of the shop brings by event.", "ours", 'Nothing; or declare a flow with `pattern = "event"`.'
    ),
    "lines_refused": Code(
        "Lines of a file cannot be read; the others were taken.",
        "theirs",
        "Mend the lines in its folder's `refused/`, put that file into the folder, then suppress the letter.",
    ),
    "unknown_word": Code(
        "The vendor used a word that has no mapping.",
        "ours",
        "Say in `systems.NAME.words` how to read it, restart, then retry; or teach the connector.",
    ),
    "amount": Code("An amount is not a decimal number in its currency.", "theirs", "Look at the raw body; ask the sender."),
    "scale": Code("An amount has more decimals than its currency.", "theirs", "Look at the raw body; ask the sender."),
    "currency": Code("The currency is missing or not an ISO 4217 code.", "theirs", "Look at the raw body; ask the sender."),
    "out_of_range": Code("A number is outside what can be meant.", "theirs", "Look at the raw body; ask the sender."),
    "time": Code("A time is not a date with a zone.", "theirs", "Look at the raw body; ask the sender."),
    "totals_mismatch": Code(
        "The parts of a document do not add up to its stated total.", "theirs", "Compare the difference; release the hold or repair."
    ),
    "changed_after_shipment": Code(
        "Units or amounts of an order changed at its source after it had left as a whole.",
        "theirs",
        "Take the change back at the source, or settle it by hand (a new order, a refund) and lift the hold.",
    ),
    "payment_lost": Code(
        "The payment of an order expired, was let go, or was taken only in part before the order had ended.",
        "theirs",
        "Ask the buyer to pay again, cancel the order, or lift the hold to go on without the money.",
    ),
    "payment_currency": Code(
        "A payment is in another currency than its order.",
        "theirs",
        "Compare the two: lift the hold where it is enough, and take it at the provider; or cancel the order.",
    ),
    "money_kept": Code(
        "An order was cancelled, and what somebody else took of it was not given back.",
        "theirs",
        "Give it back where it was taken, or lift the hold where it is to be kept.",
    ),
    "over_refunded": Code(
        "More was given back of an order than was taken for it.",
        "theirs",
        "Get it back from the buyer, or lift the hold where it is to be theirs; it is booked as it was told.",
    ),
    "overpaid": Code(
        "More was taken for an order than is due, since units of it were taken off again.",
        "theirs",
        "Give it back at the provider: the hold goes when that is heard; or settle it by hand and lift the hold.",
    ),
    "address_changed_late": Code(
        "The shipping address of an order changed when the warehouse had it, and parcels go, or went, to the one before.",
        "theirs",
        "Have the parcel stopped or redirected, or the address changed at the warehouse; then lift the hold.",
    ),
    "address_incomplete": Code(
        "An order is to be shipped, and nobody has said whole where to.",
        "theirs",
        "Ask the buyer and correct it at the channel; or lift the hold.",
    ),
    "unknown_sku": Code("No product with this SKU is known.", "ours", "Import the product, then retry."),
    "sku_ambiguous": Code("A SKU holds characters that cannot be seen.", "theirs", "Correct the SKU at its source."),
    "early": Code(
        "It waited a day for the order that it speaks of.",
        "theirs",
        "Look for the order at its source: when it comes, this is taken, and the letter closes by itself.",
    ),
    "oversold": Code("A channel sold units that are not there.", "ours", "Choose: other location, backorder or cancel."),
    "refund_exceeds_capture": Code("A refund is larger than what was captured.", "theirs", "Compare payment and refund at the provider."),
    "not_owner": Code(
        "A system spoke of a field that another system owns.", "ours", "Read the proposal; change the ownership table if it is right."
    ),
    "personal_data_erased": Code(
        "The command needs personal data that was erased.", "ours", "Nothing can be sent; suppress with a reason."
    ),
    "pan_not_accepted": Code("A card number stands in a request.", "theirs", "Card numbers are never accepted; send the provider's token."),
    "pan_redacted": Code(
        "A card number stood in a message; its middle digits were not stored.",
        "theirs",
        "Delete it at its source, then suppress the letter.",
    ),
    "store_damaged": Code(
        "A page or row of our own store cannot be read: its bytes were changed on the disk.",
        "ours",
        "Run `mainstay doctor` and `mainstay verify`: they name what is damaged. Stop Mainstay, look at the disk, restore the last backup.",
    ),
    "store_failed": Code(
        "Our own store cannot be used: its disk is full or fails.",
        "ours",
        "Make room, or mend the disk: what was refused meanwhile is sent again, and everything continues by itself.",
    ),
    "address_forbidden": Code(
        "The other side named an address that is none of its own; nothing was sent there.",
        "theirs",
        "Ask the system's vendor. Where the host is the vendor's, teach the connector its domain (`domains`), then retry.",
    ),
    "redirect_refused": Code("The other side answered with a redirect.", "theirs", "Correct the base URL of the system."),
    "not_capable": Code("The connector cannot do what was asked.", "ours", "Change the flow, or the connector."),
    "not_found": Code("The other side does not know the object.", "theirs", "Check the cross-reference; retry when it exists there."),
    "key_reused": Code("The idempotency key was used with another request.", "ours", "Use a new key for a new request."),
    "id_conflict": Code(
        "An order with this id and version is known, and it is another one.",
        "theirs",
        "Send a change with a higher version, another order with another id.",
    ),
    "release_differs": Code(
        "After a restore: the warehouse works on this release with other units than are wanted now, and a part of them has left.",
        "ours",
        "Correct the order in the warehouse by hand, then suppress the letter with a reason: it goes on from there.",
    ),
    "expired": Code("It waited longer than its deadline.", "ours", "Decide: retry, or suppress with a reason."),
    "bug": Code("Mainstay itself failed on this message.", "ours", "Report it with the message's id; retry after an upgrade."),
}
