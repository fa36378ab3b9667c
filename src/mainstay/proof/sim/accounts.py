"""Buyers and their accounts at the shop: some have two, staff merges them, orders change hands, and people ask to be forgotten."""

from __future__ import annotations

import random
from collections.abc import Collection

import msgspec

from mainstay.proof import people
from mainstay.proof.sim.scene import Performance, Scene
from mainstay.proof.truth import believed
from mainstay.twins.shopify import ShopifyTwin

BUYER = {
    "name": "Ada Lovelace", "email": "ada@buyers.example", "phone": "", "street": "Rua 1", "city": "sao paulo", "region": "SP",
    "postcode": "01000", "country": "BR",
}  # fmt: skip
NAMES = ("Ada Lovelace", "Grace Hopper")  # of whom each orders from two places, with an e-mail address for each
PLACES = ("home", "work")
Row = tuple[int, int]  # of the vault: the subject, and what brought it
ENDED = ("settled", "cancelled")


def buyer(dice: random.Random, name: str = "", place: str = "") -> dict[str, str]:
    """Somebody who orders at the shop, from one of their accounts."""
    name, place = name or dice.choice(NAMES), place or dice.choice(PLACES)
    return BUYER | {"name": name, "email": f"{name.split()[0].lower()}@{place}.example", "street": f"Rua {dice.randrange(99)}"}


def _who(email: str) -> str:
    """The person behind an address."""
    return email.partition("@")[0]


def account_is_edited(scene: Scene, dice: random.Random) -> bool:
    """Somebody changes the address in their own record: no order goes there by that."""
    known = list(scene.cast.shop.customers)
    if known:
        scene.cast.shop.edit_customer(dice.choice(known), f"Praca {dice.randrange(99)}", scene.clock())
    return bool(known)


def accounts_are_merged(scene: Scene, dice: random.Random) -> None:
    """Staff finds that two customers are one person."""
    shop = scene.cast.shop
    name = dice.choice(NAMES)
    both = [shop.sign_up(buyer(dice, name, place), scene.clock()) for place in PLACES]
    kept, gone = dice.sample(both, 2)
    shop.merge(kept, gone, scene.clock())


def order_changes_hands(scene: Scene, dice: random.Random) -> bool:
    """Staff puts an order on another account: that of somebody else, or not."""
    shop = scene.cast.shop
    if shop.orders:
        number, to = dice.choice(list(shop.orders)), shop.sign_up(buyer(dice), scene.clock())
        if shop.orders[number]["customer"]["id"] != to:
            shop.hand_over(number, to, now=scene.clock())
            return True
    return False


async def buyer_is_erased(scene: Scene, dice: random.Random) -> bool:
    """Somebody asks to be forgotten, when all that they ordered has ended: what is under way would be refused."""
    shop = scene.cast.shop
    if not scene.machine().up or not shop.customers:
        return False
    of, unheard, known = _person(shop, dice.choice(list(shop.customers))), list[str](), believed(scene.machine().state)
    people.differ(lambda _name, _units, case: unheard.append(case), scene.cast, known, scene.machine().state)
    orders = {number: known.get(f"ord.shop.{number}") for number in shop.orders}
    theirs = [number for number, order in shop.orders.items() if _person(shop, order["customer"]["id"]) == of]
    if unheard or None in orders.values() or any(one.status not in ENDED for number in theirs if (one := orders[number])):
        return False
    ids = [f"cus.shop.{one}" for one in (*shop.customers, *shop.merged) if _person(shop, one) == of]
    handles = [f"ord.shop.{number}" for number in theirs] + ids + [f"{of}@{place}.example" for place in PLACES]
    status, _ = await _erase(scene, of, dice.choice(handles))
    return status == 200  # 404: they were forgotten before, and have not ordered since, or never from there


async def _erase(scene: Scene, of: str, who: str) -> tuple[int, list[Row]]:
    """Erase somebody by one of their names; the answer, and what went of the vault. That anybody else loses anything is noted."""
    before = people.vault(scene.machine().state)
    status, _ = await scene.call("operator", "/v1/erase", {"who": who, "by": "sim"})
    if not scene.machine().up:
        return 0, []
    after = people.vault(scene.machine().state)
    passed_on = {brought for _, brought in after if brought}
    gone = [row for row in before if row not in after and row[1] not in passed_on]
    shop = scene.cast.shop
    ids = {str(one) for one in (*shop.customers, *shop.merged) if _person(shop, one) == of}
    others = [before[row] for row in gone if before[row].id not in ids and _who(before[row].email) != of]
    if others:
        scene.wronged.append(f"{who} was erased, and with them {others[0]}")
    return status, gone


async def everybody_is_erased(scene: Scene, merges: Collection[tuple[int, int]], dice: random.Random) -> None:
    """At the end each account that is left asks to be forgotten, by any of its names: all of it goes, with the accounts that Mainstay has
    heard to be merged into it, and nothing of anybody else. `merges`: (who went, who stayed)."""
    shop = scene.cast.shop
    for customer in list(shop.customers):
        same, of = {customer}, _person(shop, customer)
        while more := {gone for gone, kept in merges if kept in same} - same:
            same |= more
        before, ids = people.vault(scene.machine().state), {str(one) for one in same}
        theirs = {row for row, one in before.items() if one.id in ids}
        orders = {one.id: uid for uid, one in believed(scene.machine().state).items()}
        handles = [orders[brought] for _, brought in theirs if brought] + [f"cus.shop.{one}" for one in sorted(same)]
        everywhere = all((gone, kept) in merges for gone, kept in shop.merged.items())
        address = shop.customers[customer]["email"]
        handles += [address] if everywhere and any(before[row].email == address for row in theirs) else []  # else nobody has told of it
        if not theirs:
            continue
        who = dice.choice(sorted(handles))
        status, gone = await _erase(scene, of, who)
        if status != 200 or not theirs <= set(gone) or ("@" not in who and set(gone) != theirs):
            scene.wronged.append(f"{who} was erased ({status}): {gone} went, theirs are {sorted(theirs)}")


def heard_merges(scene: Scene) -> set[tuple[int, int]]:
    """(who went, who stayed) of each merge that the shop could tell Mainstay; some deliveries never come."""
    told = [one.body for part in scene.machine().taken for one in part.what if part.source and one.topic == "customers/merge"]
    found = [msgspec.json.decode(scene.wires.twins["shop"].meant.get(body, body)) for body in told]
    ids = [[int(one[f"admin_graphql_api_customer_{name}_id"].rpartition("/")[2]) for name in ("deleted", "kept")] for one in found]
    return {(gone, kept) for gone, kept in ids}


def _person(shop: ShopifyTwin, customer: int) -> str:
    """Who has an account, or had it before it was merged."""
    while customer in shop.merged:
        customer = shop.merged[customer]
    return _who(shop.customers[customer]["email"])


ACTS: dict[str, Performance] = {
    "account is edited": account_is_edited, "accounts are merged": accounts_are_merged, "order changes hands": order_changes_hands,
    "buyer is erased": buyer_is_erased,
}  # fmt: skip
