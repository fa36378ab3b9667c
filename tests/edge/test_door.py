"""The webhook door, byte by byte: who is let in, who is refused and with what, and that nothing unproven is ever stored."""

import asyncio
import json

import pytest

from mainstay.connectors.shipstation import ShipStation
from mainstay.connectors.shopify import Shopify
from mainstay.connectors.stripe import Stripe
from mainstay.contract.connector import settings_of
from mainstay.edge.receive import BODY_S_MAX, Door
from mainstay.edge.record import Overloaded
from mainstay.model.times import SECOND
from mainstay.proof.sim.clockwork import Clockwork
from tests.running import (
    HOOK_SECRET,
    OTHER_SECRET,
    SAMPLES,
    SHOP_SECRET,
    STRIPE_SECRET,
    an_order,
    shopify_headers,
    stripe_signature,
)  # fmt: skip

NOW_S = 1_790_000_000
LIMIT = 200_000
ORDER = an_order(7)
EVENT = b'{"id":"evt_1","object":"event","type":"payment_intent.succeeded","created":1790000000,"data":{"object":{}}}'
CONNECTORS = {
    "shop": Shopify(
        settings_of(
            Shopify, {"shop": "acme.myshopify.com", "token": "t", "webhook_secret": SHOP_SECRET, "webhook_secret_old": "before"}
        )
    ),
    "payments": Stripe(settings_of(Stripe, {"secret_key": "k", "webhook_secrets": [STRIPE_SECRET, "whsec_next"]})),
    "warehouse": ShipStation(settings_of(ShipStation, {"key": "k", "secret": "s", "hook_secret": HOOK_SECRET, "currency": "EUR"})),
}  # fmt: skip


class Street:
    """In front of the door. `stored` is what was recorded."""

    def __init__(self):
        self.loop = Clockwork()
        self.stored: list[tuple[str, str, str, bytes]] = []
        self.full = False
        self.door = Door(CONNECTORS, self, lambda: NOW_S * SECOND, LIMIT)  # type: ignore[arg-type]

    def record(self, system, topic, key, body):
        if self.full:
            raise Overloaded
        self.stored.append((system, topic, key, body))
        return asyncio.sleep(0)

    def knock(self, path, body=b"", headers=None, method="POST", parts=None, pause_s=0.0):
        """A request: its body at once, or in parts with pauses; returns (status, answer)."""
        said = [{"type": "http.request", "body": part, "more_body": True} for part in parts or ()]
        said = said or [{"type": "http.request", "body": body}]
        said[-1]["more_body"] = False
        sent = []

        async def receive():
            await asyncio.sleep(pause_s)
            return said.pop(0) if said else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        names = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        scope = {"type": "http", "path": path, "method": method, "headers": names}
        self.loop.run_until_complete(self.door(scope, receive, send))
        return sent[0]["status"], sent[1]["body"]


@pytest.fixture
def street():
    street = Street()
    yield street
    street.loop.close()


def refused(street, answer, status, code):
    assert answer[0] == status and json.loads(answer[1])["code"] == code
    assert street.stored == [], "nothing that was refused is stored"


def signed(**more):
    return {**shopify_headers(ORDER, "e1"), **more}


def stripe(stamp=NOW_S, body=EVENT, secret=STRIPE_SECRET):
    return {"stripe-signature": stripe_signature(body, stamp, secret)}


# --- signatures (reference/reliability.md section 4, cases 1 to 8) -----------------------------------------------------
FORGED = {
    "1 none": ("/hooks/shop", ORDER, signed(**{"x-shopify-hmac-sha256": ""}), "signature_missing"),
    "1 none at all": ("/hooks/payments", EVENT, {}, "signature_missing"),
    "2 wrong": ("/hooks/shop", ORDER, shopify_headers(ORDER, "e1", secret="guess"), "signature_invalid"),
    "2 no base64": ("/hooks/shop", ORDER, signed(**{"x-shopify-hmac-sha256": "!"}), "signature_invalid"),
    "3 right for another shop": ("/hooks/shop", ORDER, shopify_headers(ORDER, "e1", secret=OTHER_SECRET), "signature_invalid"),
    "3 another shop's name": ("/hooks/shop", ORDER, signed(**{"x-shopify-shop-domain": "other.myshopify.com"}), "signature_invalid"),
    "4 six minutes old": ("/hooks/payments", EVENT, stripe(NOW_S - 360), "timestamp_stale"),
    "5 six minutes early": ("/hooks/payments", EVENT, stripe(NOW_S + 360), "timestamp_stale"),
    "5 time changed after signing": (
        "/hooks/payments", EVENT, {"stripe-signature": stripe()["stripe-signature"].replace("t=179", "t=178")}, "signature_invalid",
    ),
    "6 not ASCII": ("/hooks/shop", ORDER, signed(**{"x-shopify-hmac-sha256": "ÿþ§é"}), "signature_invalid"),
    "6 not ASCII, Stripe": ("/hooks/payments", EVENT, {"stripe-signature": f"t={NOW_S},v1=ÿþ"}, "signature_invalid"),
    "7 written anew": ("/hooks/shop", json.dumps(json.loads(ORDER), indent=1).encode(), signed(), "signature_invalid"),
    "7 one bit": ("/hooks/shop", ORDER[:-2] + bytes([ORDER[-2] ^ 1]) + ORDER[-1:], signed(), "signature_invalid"),
    "unsigned, wrong path": ("/hooks/warehouse/guess", b"{}", {}, "signature_invalid"),
    "unsigned, no path": ("/hooks/warehouse", b"{}", {}, "signature_missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_who_cannot_prove_itself_is_refused(street, case):
    path, body, headers, code = FORGED[case]
    refused(street, street.knock(path, body, headers), 401, code)
    assert street.door.refused == {(path.split("/")[2], code): 1}


TWO = f"t={NOW_S},v1={'0' * 64},v1={stripe()['stripe-signature'].partition('v1=')[2]}"
GENUINE = {
    "by Shopify": ("/hooks/shop", ORDER, signed(), ("shop", "orders/create", "e1")),
    "with the secret of before": ("/hooks/shop", ORDER, shopify_headers(ORDER, "e1", secret="before"), ("shop", "orders/create", "e1")),
    "by Stripe": ("/hooks/payments", EVENT, stripe(), ("payments", "payment_intent.succeeded", "evt_1")),
    "8 two signatures, one good": ("/hooks/payments", EVENT, {"stripe-signature": TWO}, ("payments", "payment_intent.succeeded", "evt_1")),
    "with the next secret": ("/hooks/payments", EVENT, stripe(secret="whsec_next"), ("payments", "payment_intent.succeeded", "evt_1")),
}


@pytest.mark.parametrize("case", GENUINE)
def test_who_proves_itself_is_stored_as_it_came(street, case):
    path, body, headers, stored = GENUINE[case]
    assert street.knock(path, body, headers) == (200, b"ok")
    assert street.stored == [(*stored, body)]


def test_a_sender_that_does_not_sign_comes_by_its_secret_path(street):
    body = (SAMPLES.parents[1] / "shipstation/samples/SHIP_NOTIFY.json").read_bytes()
    assert street.knock(f"/hooks/warehouse/{HOOK_SECRET}", body)[0] == 200
    assert street.stored[0][0] == "warehouse" and street.stored[0][3] == body


def test_without_an_event_id_the_body_is_the_identity(street):
    for body in (ORDER, ORDER, an_order(8)):
        street.knock("/hooks/shop", body, shopify_headers(body, ""))
    (one, again, other) = (key for _, _, key, _ in street.stored)
    assert one == again != other


def test_97_a_card_number_never_gets_past_the_door(street):
    body = an_order(97, note="please take it from 4242 4242 4242 4242")
    assert street.knock("/hooks/shop", body, shopify_headers(body, "e97")) == (200, b"ok"), "genuine: refused, it would come again"
    message, said = street.stored
    assert message == ("shop", "orders/create", "e97", body.replace(b"4242 4242 4242 4242", b"424242******4242"))
    assert said[:3] == ("mainstay", "mainstay/outcome", "e97")
    assert json.loads(said[3])["code"] == "pan_redacted" and b"424242******4242" in said[3]


# --- the way in (cases 9 to 16) ----------------------------------------------------------------------------------------
def test_what_is_too_large_by_its_own_word_is_not_even_read(street):
    answer = street.knock("/hooks/shop", b"", {"content-length": str(LIMIT + 1)}, pause_s=10 * BODY_S_MAX)
    refused(street, answer, 413, "payload_too_large")
    assert street.loop.time() == 0


@pytest.mark.parametrize("parts", [[b"x" * (LIMIT + 1)], [b"x" * 1000] * 1000], ids=["at once", "in parts"])
def test_what_is_too_large_is_refused_when_it_shows(street, parts):
    refused(street, street.knock("/hooks/shop", parts=parts, pause_s=0.001), 413, "payload_too_large")


def test_a_body_at_the_limit_is_taken(street):
    body = b'{"id":1,"x":"' + b"x" * (LIMIT - 15) + b'"}'
    assert len(body) == LIMIT and street.knock("/hooks/shop", body, shopify_headers(body, "e1"))[0] == 200


def test_a_body_in_parts_is_one_body(street):
    parts = [ORDER[n : n + 100] for n in range(0, len(ORDER), 100)]
    assert street.knock("/hooks/shop", parts=parts, headers=signed())[0] == 200
    assert street.stored[0][3] == ORDER


@pytest.mark.parametrize("parts", [[b"x"], [b"x"] * 10_000], ids=["12 held open", "13 a byte a second"])
def test_who_does_not_finish_is_not_waited_for(street, parts):
    refused(street, street.knock("/hooks/shop", parts=[*parts, b"end"], pause_s=BODY_S_MAX * 2 if len(parts) == 1 else 1), 408, "too_slow")
    assert street.loop.time() == BODY_S_MAX


def test_a_connection_that_breaks_off_stores_nothing(street):
    async def answer():
        return {"type": "http.disconnect"}

    said = []

    async def send(message):
        said.append(message)

    street.loop.run_until_complete(street.door({"path": "/hooks/shop", "method": "POST", "headers": []}, answer, send))
    assert said[0]["status"] == 400 and street.stored == []


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "code"),
    [
        ("/hooks/shop", "GET", {}, 405, "method_not_allowed"),
        ("/hooks/shop", "PUT", {}, 405, "method_not_allowed"),
        ("/hooks/nobody", "POST", {}, 404, "not_found"),
        ("/hooks/", "POST", {}, 404, "not_found"),
        ("/hooks/../shop", "POST", {}, 404, "not_found"),
        ("/hooks/shop", "POST", {"content-encoding": "gzip"}, 415, "encoding_broken"),
        ("/hooks/shop", "POST", {"content-encoding": "no such"}, 415, "encoding_broken"),
    ],
)
def test_a_request_that_is_none(street, path, method, headers, status, code):
    refused(street, street.knock(path, ORDER, {**signed(), **headers}, method), status, code)


def test_when_too_much_waits_it_is_refused_before_it_is_acknowledged(street):
    street.full = True
    refused(street, street.knock("/hooks/shop", ORDER, signed()), 503, "overloaded")


def test_a_refusal_names_no_secret_and_repeats_no_value(street):
    for path, body, headers, _ in FORGED.values():
        said = street.knock(path, body, headers)[1].decode()
        assert not any(secret in said for secret in (SHOP_SECRET, STRIPE_SECRET, HOOK_SECRET, "guess", "Traceback"))


def test_every_refusal_is_counted_by_system_and_code_only(street):
    """A name that nobody declared is not a label: whoever knocks could fill the metrics otherwise."""
    for n in range(5):
        street.knock(f"/hooks/nobody-{n}")
    assert street.door.refused == {("-", "not_found"): 5}
