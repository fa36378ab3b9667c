"""An imitation of Stripe: payment intents with manual capture, refunds, disputes, payouts, the balance, and signed webhooks.

Written from https://docs.stripe.com/api and Stripe's published fixture objects (stripe/openapi, fixtures3.json).
What is imitated with care: idempotency keys (24 hours, first answer replayed, other parameters refused), forms as bodies, lists from
new to old, `amount_refunded` counting what was authorised and not captured, fees of 2.9 % + 30, one clock that counts seconds.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec

from mainstay.contract.connector import Budget
from mainstay.contract.talk import Reply
from mainstay.contract.twin import Post, Request
from mainstay.model.times import DAY, SECOND
from mainstay.twins.imitation import Dice, Imitation, Weather, json_reply

API_VERSION = "2026-10-28.endive"
KEY_LIFE = DAY
SETTLES_IN_S = 2 * 86_400
DISPUTE_FEE = 1500
EVIDENCE_S = 7 * 86_400  # until evidence is due; a card network gives one to three weeks
_OPERATIONS = ("capture", "cancel", "refund", "intent", "refunds", "events", "balance", "endpoints")
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_EVIDENCE = (  # what a person may hand in against a dispute; nobody has, in the twin
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure", "cancellation_rebuttal",
    "customer_communication", "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
    "duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt",
    "refund_policy", "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
    "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file",
    "uncategorized_text",
)  # fmt: skip

Object = dict[str, Any]


class StripeTwin(Imitation):
    """`effects` lists what was really done: ("capture", intent, amount), ("cancel", intent, amount), ("refund", key or id, amount)."""

    name = "stripe"
    budgets: ClassVar = (
        Budget("account", "token", 100, 100),
        *(Budget(operation, "token", 25, 25, (operation,)) for operation in _OPERATIONS),
    )

    def __init__(
        self, dice: Dice, weather: Weather | None = None, time_factor: float = 1.0, *,
        secret_key: str = "sk_test_twin", webhook_secret: str = "whsec_twin", url: str = "https://mainstay.example/stripe",
    ) -> None:  # fmt: skip
        super().__init__(dice, weather, time_factor)
        self._secret_key, self._webhook_secret = secret_key, webhook_secret
        self.intents: dict[str, Object] = {}
        self.charges: dict[str, Object] = {}
        self.refunds: dict[str, Object] = {}
        self.disputes: dict[str, Object] = {}
        self.payouts: dict[str, Object] = {}
        self.balance: list[Object] = []  # oldest first
        self.events: list[Object] = []  # oldest first
        self.endpoint: Object = _endpoint(url)
        self.effects: list[tuple[str, str, int]] = []
        self._paid_out: dict[str, str] = {}  # balance transaction -> payout
        self._replies: dict[str, tuple[int, str, bytes, Reply]] = {}  # idempotency key -> moment, path, body, first answer
        self._made = 0

    # --- what a checkout, a card holder and the calendar do -----------------------------------------------------------
    def authorise(
        self, amount: int, currency: str, order: str, now: int, *, system: str = "", metadata: Mapping[str, str] | None = None,
    ) -> Object:  # fmt: skip
        """A buyer confirms a payment with capture_method=manual; returns the payment intent, which then awaits its capture."""
        marks = {"order": order} | ({"system": system} if system else {}) | dict(metadata or {})
        intent = _intent(self._id("pi"), amount, currency.lower(), marks, now)
        charge = _charge(self._id("ch"), intent, now)
        self.intents[intent["id"]], self.charges[charge["id"]] = intent, charge
        self._tell("payment_intent.created", intent, now)
        intent |= {
            "status": "requires_capture",
            "amount_capturable": amount,
            "latest_charge": charge["id"],
            "payment_method": "pm_card_visa",
        }
        self._tell("charge.succeeded", charge, now)
        self._tell("payment_intent.amount_capturable_updated", intent, now)
        return intent

    def capture(self, payment: str, amount: int, now: int) -> None:
        """Somebody takes a payment in the dashboard; what is not taken of it is let go."""
        self._capture(self.intents[payment], amount, {}, now)

    def expire(self, payment: str, now: int) -> None:
        """An authorisation ends by itself, after seven days for most cards: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method"""
        self._let_go(self.intents[payment], "automatic", "charge.expired", now)

    def end_dispute(self, name: str, won: bool, now: int) -> None:
        """The bank decides; what a shop has won comes back to its balance."""
        dispute = self.disputes[name]
        dispute["status"] = "won" if won else "lost"
        if won:
            self._book("adjustment", "dispute_reversal", name, dispute["amount"], 0, dispute["currency"], now)
        self._tell("charge.dispute.closed", dispute, now)

    def dispute(self, payment: str, now: int) -> Object:
        """The card holder contests a captured payment: the money and a fee leave the balance at once."""
        charge = self.charges[self.intents[payment]["latest_charge"]]
        dispute = _dispute(self._id("dp"), charge, now)
        charge["disputed"] = True
        self.disputes[dispute["id"]] = dispute
        row = self._book("adjustment", "dispute", dispute["id"], -charge["amount_captured"], DISPUTE_FEE, charge["currency"], now)
        dispute["balance_transactions"] = [row]
        self._tell("charge.dispute.created", dispute, now)
        return dispute

    def refundable(self, payment: str) -> int:
        """What may still be given back of a payment."""
        charge = self.charges[self.intents[payment]["latest_charge"]]
        let_go = charge["amount"] - charge["amount_captured"]
        if charge["disputed"]:  # https://docs.stripe.com/disputes/responding: it cannot be refunded any more
            return 0
        return charge["amount_captured"] - (charge["amount_refunded"] - let_go) if charge["captured"] else 0

    def refund(self, payment: str, amount: int, now: int) -> Object:
        """Somebody gives back a part of a captured payment in the dashboard; or the shop does, as the gateway's client."""
        assert 0 < amount <= self.refundable(payment)
        return self._give_back(self.charges[self.intents[payment]["latest_charge"]], amount, {}, now)

    def pay_out(self, now: int, currency: str = "usd") -> Object | None:
        """Send everything of the balance that is in no payout yet to the bank; None where that is nothing."""
        rows = [row for row in self.balance if row["id"] not in self._paid_out and row["currency"] == currency.lower()]
        amount = sum(row["net"] for row in rows)
        if amount <= 0:
            return None
        payout = _payout(self._id("po"), amount, currency.lower(), now)
        self.payouts[payout["id"]] = payout
        rows.append(self._book("payout", "payout", payout["id"], -amount, 0, payout["currency"], now))
        payout["balance_transaction"] = rows[-1]["id"]
        self._paid_out |= {row["id"]: payout["id"] for row in rows}
        self._tell("payout.created", payout, now)
        payout |= {"status": "paid", "reconciliation_status": "completed"}
        self._tell("payout.paid", payout, now)
        self._tell("payout.reconciliation_completed", payout, now)
        return payout

    # --- the API -----------------------------------------------------------------------------------------------------
    def handle(self, request: Request, now: int) -> Reply:
        operation, act = self._route(request)
        refused = self.limit(request, operation, now)
        if refused is not None:
            return refused
        if request.headers.get("authorization") != f"Bearer {self._secret_key}":
            return _error(401, "invalid_request_error", "Invalid API Key provided.")
        if act is None:
            return _error(404, "invalid_request_error", f"Unrecognized request URL ({request.method}: {request.path}).")
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        if key:
            stored = self._replies.get(key)
            if stored is not None and now - stored[0] < KEY_LIFE:
                if stored[1:3] != (request.path, request.body):
                    return _error(400, "idempotency_error", "Keys for idempotent requests can only be used with the same parameters.")
                return Reply(stored[3].status, {**stored[3].headers, "idempotent-replayed": "true"}, stored[3].body)
        reply = act(request, now)
        if key and b'"param":' not in reply.body:  # an answer that blames a parameter is not stored: nothing had begun
            self._replies[key] = (now, request.path, request.body, reply)
        return reply

    def throttled(self, request: Request, after_s: float) -> Reply:
        return _error(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit")

    def broken(self, request: Request) -> Reply:
        return _error(500, "api_error", "Sorry, there was a problem while processing your request.")

    def _route(self, request: Request) -> tuple[str, Callable[[Request, int], Reply] | None]:
        routes: dict[tuple[str, str], tuple[str, Callable[[Request, int], Reply]]] = {
            ("GET", "events"): ("events", self._get_events),
            ("GET", "balance_transactions"): ("balance", self._get_balance),
            ("GET", "refunds"): ("refunds", self._get_refunds),
            ("POST", "refunds"): ("refund", self._post_refund),
            ("GET", "payment_intents"): ("intent", self._get_intent),
            ("POST", "payment_intents/capture"): ("capture", self._post_capture),
            ("POST", "payment_intents/cancel"): ("cancel", self._post_cancel),
            ("GET", "webhook_endpoints"): ("endpoints", self._get_endpoints),
            ("POST", "webhook_endpoints"): ("endpoints", self._post_endpoint),
        }
        _, _, resource, *rest = (request.path + "/").split("/")
        verb = f"/{rest[1]}" if len(rest) > 2 else ""
        operation, act = routes.get((request.method, resource + verb), ("unknown", None))
        return operation, act

    def _get_intent(self, request: Request, now: int) -> Reply:
        intent = self.intents.get(request.path.split("/")[3])
        return json_reply(200, intent) if intent else _missing("payment_intent", request.path.split("/")[3])

    def _post_capture(self, request: Request, now: int) -> Reply:
        name, form = request.path.split("/")[3], _form(request)
        intent = self.intents.get(name)
        if intent is None:
            return _missing("payment_intent", name)
        if intent["status"] != "requires_capture":
            return _unexpected(intent, "captured", "requires_capture")
        amount = int(form.get("amount_to_capture") or intent["amount_capturable"])
        if amount > intent["amount_capturable"]:
            return _invalid("amount_to_capture", "amount_too_large", "The amount to capture is greater than what is capturable.")
        self._capture(intent, amount, form, now)
        return json_reply(200, intent)

    def _capture(self, intent: Object, amount: int, form: Mapping[str, str], now: int) -> None:
        """Takes `amount` of what is capturable; the rest is let go unless more captures are announced (`final_capture=false`)."""
        charge = self.charges[intent["latest_charge"]]
        left = intent["amount_capturable"] - amount
        let_go = 0 if form.get("final_capture") == "false" else left
        done = left == let_go
        intent |= {"status": "succeeded" if done else "requires_capture", "amount_capturable": left - let_go}
        intent["amount_received"] += amount
        intent["metadata"] |= _metadata(form)
        charge |= {"captured": done, "amount_captured": intent["amount_received"], "amount_refunded": let_go}
        row = self._book("charge", "charge", charge["id"], amount + let_go, _fee(amount + let_go), intent["currency"], now)
        charge["balance_transaction"] = row["id"]
        if let_go:
            back = _fee(amount) - _fee(amount + let_go)
            self._book("refund", "partial_capture_reversal", charge["id"], -let_go, back, intent["currency"], now)
        self.effects.append(("capture", intent["id"], amount))
        self._tell("charge.captured", charge, now)
        self._tell("payment_intent.succeeded" if done else "payment_intent.amount_capturable_updated", intent, now)

    def _post_cancel(self, request: Request, now: int) -> Reply:
        name, form = request.path.split("/")[3], _form(request)
        intent = self.intents.get(name)
        if intent is None:
            return _missing("payment_intent", name)
        if intent["status"] in ("succeeded", "canceled"):
            return _unexpected(intent, "canceled", "requires_payment_method, requires_capture, requires_confirmation")
        self._let_go(intent, form.get("cancellation_reason"), "charge.refunded", now)
        self.effects.append(("cancel", name, intent["amount"]))
        return json_reply(200, intent)

    def _let_go(self, intent: Object, why: str | None, kind: str, now: int) -> None:
        """An authorisation ends without a capture."""
        charge = self.charges[intent["latest_charge"]]
        intent |= {"status": "canceled", "amount_capturable": 0, "canceled_at": now // SECOND, "cancellation_reason": why}
        charge |= {"amount_refunded": charge["amount"], "refunded": True}
        self._tell(kind, charge, now)
        self._tell("payment_intent.canceled", intent, now)

    def _post_refund(self, request: Request, now: int) -> Reply:
        form = _form(request)
        intent = self.intents.get(form.get("payment_intent", ""))
        charge = self.charges.get(intent["latest_charge"] if intent else form.get("charge", ""))
        if charge is None:
            return _missing("payment_intent", form.get("payment_intent", form.get("charge", "")))
        left = self.refundable(charge["payment_intent"])
        amount = int(form.get("amount") or left)
        if charge["disputed"]:
            told = f"Charge {charge['id']} has been charged back; cannot issue a refund."
            return _error(400, "invalid_request_error", told, code="charge_disputed")
        if not left:
            return _error(400, "invalid_request_error", f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if amount > left:
            return _error(400, "invalid_request_error", f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})")
        return json_reply(200, self._give_back(charge, amount, _metadata(form), now))

    def _give_back(self, charge: Object, amount: int, metadata: dict[str, str], now: int) -> Object:
        refund = _refund(self._id("re"), charge, amount, metadata, now)
        self.refunds[refund["id"]] = refund
        row = self._book("refund", "refund", refund["id"], -amount, 0, charge["currency"], now)
        refund["balance_transaction"] = row["id"]
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.effects.append(("refund", refund["metadata"].get("mainstay_refund", refund["id"]), amount))
        self._tell("refund.created", refund, now)
        self._tell("charge.refunded", charge, now)
        return refund

    def _get_refunds(self, request: Request, now: int) -> Reply:
        wanted = {name: request.query[name] for name in ("payment_intent", "charge") if name in request.query}
        return _list("/v1/refunds", [one for one in self.refunds.values() if wanted.items() <= one.items()], request)

    def _get_events(self, request: Request, now: int) -> Reply:
        name = request.path.removeprefix("/v1/events").strip("/")
        if name:
            event = next((one for one in self.events if one["id"] == name), None)
            return json_reply(200, event) if event else _missing("event", name)
        return _list("/v1/events", self.events, request)

    def _get_balance(self, request: Request, now: int) -> Reply:
        rows = self.balance
        if "payout" in request.query:
            rows = [row for row in rows if self._paid_out.get(row["id"]) == request.query["payout"]]
        if request.query.get("expand[]") == "data.source":
            rows = [row | {"source": self._object(row["source"])} for row in rows]
        return _list("/v1/balance_transactions", rows, request)

    def _object(self, name: str) -> Object:
        return next(books[name] for books in (self.charges, self.refunds, self.disputes, self.payouts) if name in books)

    def _get_endpoints(self, request: Request, now: int) -> Reply:
        self.endpoint["status"] = "enabled" if self.subscribed else "disabled"
        return _list("/v1/webhook_endpoints", [self.endpoint], request)

    def _post_endpoint(self, request: Request, now: int) -> Reply:
        form = _form(request)
        if request.path.split("/")[3:] != [self.endpoint["id"]]:
            return _missing("webhook_endpoint", request.path)
        self.endpoint["enabled_events"] = [value for name, value in form.items() if name.startswith("enabled_events[")]
        self.subscribed = form.get("disabled") != "true"
        self.endpoint["status"] = "enabled" if self.subscribed else "disabled"
        return json_reply(200, self.endpoint)

    # --- the books ---------------------------------------------------------------------------------------------------
    def _book(self, kind: str, category: str, source: str, amount: int, fee: int, currency: str, now: int) -> Object:
        row = _transaction(self._id("txn"), kind, category, source, amount, fee, currency, now)
        self.balance.append(row)
        return row

    def _tell(self, kind: str, thing: Object, now: int) -> None:
        """Keep the event, and deliver it to the endpoint where that asked for it."""
        event = {
            "id": self._id("evt"), "object": "event", "api_version": API_VERSION, "created": now // SECOND,
            "data": {"object": msgspec.json.decode(msgspec.json.encode(thing))},  # as it is now: later changes do not reach it
            "livemode": False, "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None}, "type": kind,
        }  # fmt: skip
        self.events.append(event)
        if {"*", kind} & set(self.endpoint["enabled_events"]):
            body = self.told(msgspec.json.format(msgspec.json.encode(event), indent=2))
            self.post({"content-type": "application/json; charset=utf-8"}, body, now)

    def due(self, now: int) -> list[Post]:
        """Each attempt is signed anew over "{seconds}.{body}", so that a late one is not stale."""
        return [
            Post(post.id, {**post.headers, "stripe-signature": self._signature(post.body, now)}, post.body) for post in super().due(now)
        ]

    def _signature(self, body: bytes, now: int) -> str:
        stamp = str(now // SECOND)
        return f"t={stamp},v1={hmac.digest(self._webhook_secret.encode(), stamp.encode() + b'.' + body, 'sha256').hex()}"

    def _id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}_Twin{self._made:020d}"


def _fee(amount: int) -> int:
    """2.9 % and 30, to the nearest minor unit. Source: https://stripe.com/pricing (cards, United States)."""
    return (amount * 29 + 500) // 1000 + 30


def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def _metadata(form: Mapping[str, str]) -> dict[str, str]:
    return {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}


def _list(url: str, things: list[Object], request: Request) -> Reply:
    """A page from new to old, as every list of Stripe."""
    since, after, limit = (
        int(request.query.get("created[gte]", 0)),
        request.query.get("starting_after"),
        int(request.query.get("limit", 10)),
    )
    newest_first = [one for one in reversed(things) if one.get("created", 0) >= since]
    start = 1 + next((n for n, one in enumerate(newest_first) if one["id"] == after), -1) if after else 0
    page = newest_first[start : start + limit]
    return json_reply(200, {"object": "list", "data": page, "has_more": start + limit < len(newest_first), "url": url})


def _error(status: int, kind: str, message: str, **more: Any) -> Reply:
    return json_reply(status, {"error": {"message": message, "type": kind, **more}}, {"request-id": "req_Twin"})


def _invalid(param: str, code: str, message: str) -> Reply:
    return _error(400, "invalid_request_error", message, code=code, param=param)


def _missing(kind: str, name: str) -> Reply:
    return _error(404, "invalid_request_error", f"No such {kind}: '{name}'", code="resource_missing", param="id")


def _unexpected(intent: Object, verb: str, needed: str) -> Reply:
    message = f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}. Needed is one of: {needed}."
    return _error(400, "invalid_request_error", message, code="payment_intent_unexpected_state", payment_intent=intent)


def _intent(name: str, amount: int, currency: str, metadata: dict[str, str], now: int) -> Object:
    return {
        "id": name, "object": "payment_intent", "amount": amount, "amount_capturable": 0, "amount_received": 0, "application": None,
        "canceled_at": None, "cancellation_reason": None, "capture_method": "manual", "client_secret": f"{name}_secret_twin",
        "confirmation_method": "automatic", "created": now // SECOND, "currency": currency, "customer": None, "description": None,
        "last_payment_error": None, "latest_charge": None, "livemode": False, "metadata": metadata, "next_action": None,
        "payment_method": None, "payment_method_types": ["card"], "status": "requires_payment_method",
    }  # fmt: skip


def _charge(name: str, intent: Object, now: int) -> Object:
    return {
        "id": name, "object": "charge", "amount": intent["amount"], "amount_captured": 0, "amount_refunded": 0, "balance_transaction": None,
        "billing_details": {"address": dict.fromkeys(_ADDRESS), "email": None, "name": None, "phone": None, "tax_id": None},
        "captured": False, "created": now // SECOND, "currency": intent["currency"], "customer": None, "description": None,
        "disputed": False, "failure_code": None, "failure_message": None, "livemode": False, "metadata": dict(intent["metadata"]),
        "paid": True, "payment_intent": intent["id"], "payment_method": "pm_card_visa", "refunded": False, "status": "succeeded",
    }  # fmt: skip


def _refund(name: str, charge: Object, amount: int, metadata: dict[str, str], now: int) -> Object:
    return {
        "id": name, "object": "refund", "amount": amount, "balance_transaction": None, "charge": charge["id"], "created": now // SECOND,
        "currency": charge["currency"], "metadata": metadata, "payment_intent": charge["payment_intent"], "reason": None,
        "receipt_number": None, "status": "succeeded",
    }  # fmt: skip


def _dispute(name: str, charge: Object, now: int) -> Object:
    return {
        "id": name, "object": "dispute", "amount": charge["amount_captured"], "balance_transactions": [], "charge": charge["id"],
        "created": now // SECOND, "currency": charge["currency"], "evidence": dict.fromkeys(_EVIDENCE),
        "evidence_details": {
            "due_by": now // SECOND + EVIDENCE_S, "has_evidence": False, "past_due": False, "submission_count": 0,
            "enhanced_eligibility": {},
        },
        "is_charge_refundable": False, "livemode": False, "metadata": {}, "payment_intent": charge["payment_intent"],
        "reason": "fraudulent", "status": "needs_response",
    }  # fmt: skip


def _payout(name: str, amount: int, currency: str, now: int) -> Object:
    return {
        "id": name, "object": "payout", "amount": amount, "arrival_date": now // SECOND + SETTLES_IN_S, "automatic": True,
        "balance_transaction": None, "created": now // SECOND, "currency": currency, "description": "STRIPE PAYOUT", "failure_code": None,
        "livemode": False, "metadata": {}, "method": "standard", "reconciliation_status": "in_progress", "source_type": "card",
        "status": "in_transit", "type": "bank_account",
    }  # fmt: skip


def _transaction(name: str, kind: str, category: str, source: str, amount: int, fee: int, currency: str, now: int) -> Object:
    details = [{"amount": fee, "application": None, "currency": currency, "description": "Stripe processing fees", "type": "stripe_fee"}]
    return {
        "id": name, "object": "balance_transaction", "amount": amount, "available_on": now // SECOND + SETTLES_IN_S,
        "created": now // SECOND, "currency": currency, "description": None, "exchange_rate": None, "fee": fee,
        "fee_details": details if fee else [], "net": amount - fee, "reporting_category": category, "source": source,
        "status": "pending", "type": kind, "balance_type": "payments",
    }  # fmt: skip


def _endpoint(url: str) -> Object:
    return {
        "id": "we_Twin", "object": "webhook_endpoint", "api_version": API_VERSION, "created": 0, "description": None,
        "enabled_events": ["*"], "livemode": False, "metadata": {}, "status": "enabled", "url": url,
    }  # fmt: skip
