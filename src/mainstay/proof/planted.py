"""Every planted bug there is: what it does, under which harness it is planted, and by which rule it must be noticed.

Those of the simulator stand in `sim.mutants`, those of the demo in `plants`, the broken copies of a connector under the checks of the
suite; the others here. Which invariants each of them breaks stands in `catalogue`, where an invariant names its bugs.
"""

from __future__ import annotations

from msgspec import Struct

from mainstay.contract.conformance import CHECKS
from mainstay.proof.plants import PLANTS
from mainstay.proof.sim.mutants import MUTANTS, Mutant

SUITE = "tests/contract/test_conformance_suite.py::test_a_broken_copy_is_caught_by_its_check"
DEMO = "tests/proof/test_plants.py::test_the_demo_s_report_says_so"
STANDING = "tests/crash/test_standing.py::test_a_bug_that_shows_when_somebody_stands_still_is_noticed"
GUARDED = "tests/proof/test_planted.py::test_what_guards_an_invariant_notices_its_bug"


class Planted(Struct, frozen=True):
    """A planted bug. `by`: what must be said, or fail, for it to be noticed; what stands in “” there stands so in the test's file. `test`:
    which one plants it (path::name), or "" where the simulator does; `case`: which of its cases. `where`: in which histories."""

    what: str
    harness: str
    by: str
    test: str = ""
    case: str = ""
    where: str = ""


HARNESSES = {
    "simulator": "drawn histories of a whole shop with its vendors: `mainstay sim`",
    "power cuts": "the same on a disk whose power goes at a drawn write or sync",
    "I/O errors": "the same on a disk of which each operation fails once",
    "backup": "a real Mainstay that is backed up while it works",
    "restore": "drawn histories in which the disk is lost, and a backup restored",
    "order of arrival": "what a drawn history told, in another legal order",
    "clock": "drawn histories in which the clock is set",
    "lost elsewhere": "drawn histories in which the ERP is restored from an older backup",
    "kills": "a real Mainstay whose processes are killed while a shop works",
    "standing still": "the same, of which a process is stopped for a while",
    "memory": "the same, of which a process may have no byte more",
    "handles": "the same, of which a process can open nothing more",
    "damage": "flipped bits, cut files and moved pages of a store",
    "overload": "doors over a slow disk, or before a slow core, at which everybody sends or asks at once",
    "bad inputs": "each path from bytes, with what nobody thought of",
    "lanes": "the delivery of effects to one system, time simulated",
    "suite": "the suite that each connector must pass, on copies of the scaffold's",
    "vendors": "a connector and the twin of its vendor",
    "documents": "what vendors publish of their interfaces, held against connectors and twins",
    "books": "the comparison of everybody's books at the end of a history",
    "demo": "the demo's report",
    "bench": "the benchmark of a flash sale",
    "guard": "the test of one rule, run with the bug in the product",
}

OUTSIDE: dict[str, Planted] = {
    "an-alarm-less": Planted(
        "one of the causes of dead letters is not among the alarms, in three ways", "simulator", "“what is shown is wrong: alarms”",
        "tests/sim/test_reads.py::test_a_cause_that_is_not_among_the_alarms_is_noticed", where="a history in which effects are refused",
    ),
    "a-change-unseen": Planted(
        "a change in how documents look is not shown, or raises no alarm", "simulator", "“what is shown is wrong: ”",
        "tests/sim/test_reads.py::test_a_change_that_is_not_shown_is_noticed", where="a calm history",
    ),
    "answer-first": Planted(
        "the door answers before it commits", "kills", "deliveries that were acknowledged are “lost”",
        "tests/crash/test_kills.py::test_a_door_that_answers_before_it_commits_is_noticed",
    ),
    "answer-though-it-failed": Planted(
        "the door answers though the disk failed", "I/O errors", "what is acknowledged is there, as in the simulator",
        "tests/crash/test_io_errors.py::test_a_door_that_answers_though_the_disk_failed_is_noticed",
    ),
    "book-blindly": Planted(
        "a sale is booked without a look whether it is there already", "power cuts", "the effects outside are not those of a calm one",
        "tests/crash/test_power.py::test_an_effect_that_is_made_once_more_is_noticed", where="a history in which the power goes",
    ),
    "empty-the-log-first": Planted(
        "a start empties the write-ahead log before the file is safe", "power cuts", "any rule of the simulator, when the power goes again",
        "tests/crash/test_power.py::test_a_start_that_empties_the_log_before_the_file_is_safe_is_noticed",
    ),
    "another-caller": Planted(
        "who asks again, since the core did not answer, is taken for another", "standing still",
        "the effects outside are not those of the calm run", STANDING, "core",
    ),
    "never-find": Planted(
        "what dispatch had asked for before it stood still is not found again", "standing still",
        "the effects outside are not those of the calm run", STANDING, "dispatch",
    ),
    "hold-on": Planted(
        "a process that has no memory left goes on", "memory", "“edge goes on without memory”",
        "tests/crash/test_memory.py::test_who_goes_on_without_memory_is_noticed",
    ),
    "end-for-want-of-a-handle": Planted(
        "a process that cannot write down how it stands ends", "handles", "“was started again”",
        "tests/crash/test_handles.py::test_who_ends_for_want_of_a_handle_is_noticed",
    ),
    "no-checksums": Planted(
        "pages of the store bear no checksum", "damage", "a flipped bit that is “not noticed”",
        "tests/crash/test_damage.py::test_without_checksums_a_flipped_bit_of_a_message_would_not_be_noticed",
    ),
    "trust-the-log": Planted(
        "nobody looks whether the write-ahead log ends where it ended", "damage", "commits that are gone without a word",
        "tests/crash/test_damage.py::test_without_a_look_at_the_end_of_the_log_commits_would_be_gone",
    ),
    "nobody-waits": Planted(
        "a backup reads while the writers go on", "backup", "“is of another moment than the others”",
        "tests/crash/test_backup.py::test_a_backup_of_several_moments_is_noticed", "nobody_waits",
    ),
    "one-after-the-other": Planted(
        "a backup copies each file when its turn comes", "backup", "“is of another moment than the others”",
        "tests/crash/test_backup.py::test_a_backup_of_several_moments_is_noticed", "one_after_the_other",
    ),
    "look-nothing-up": Planted(
        "after a restore dispatch asks for everything again, without a look", "restore", "“repeated_at_receiver”",
        "tests/crash/test_restore.py::test_without_looking_up_after_a_restore_effects_would_stand_twice",
    ),
    "release-at-once": Planted(
        "after a restore orders are released before what was lost is read again", "restore", "“oversold_units_asked_first”",
        "tests/crash/test_restore.py::test_if_orders_were_released_at_once_a_unit_would_be_promised_twice",
    ),
    "count-too-early": Planted(
        "after a restore the shelf is counted before the parcels are read again", "restore", "“on_hand_differs”",
        "tests/crash/test_restore.py::test_if_the_shelf_were_counted_before_the_parcels_are_read_again_it_would_be_too_low",
    ),
    "deal-nothing-out": Planted(
        "after a restore a core deals no units out when it is asked to", "restore", "“come to rest”",
        "tests/crash/test_restore.py::test_a_core_that_never_deals_units_out_does_not_come_to_rest",
    ),
    "an-older-word": Planted(
        "an older word counts over a newer one", "order of arrival", "“another order of arrival”",
        "tests/sim/test_arrival.py::test_it_is_noticed_where_an_older_word_counts",
    ),
    "while-others-wait": Planted(
        "a movement counts though a later count holds it, or what is early is forgotten, or an older word counts, while others want units",
        "order of arrival", "any key that differs, beside those that may",
        "tests/sim/test_arrival.py::test_a_bug_is_noticed_where_something_else_is_contended",
    ),
    "letters-by-number": Planted(
        "people name a letter by its number of before, which is another's now", "order of arrival", "“another order of arrival”",
        "tests/sim/test_arrival.py::test_people_name_the_same_letters_in_another_order",
    ),
    "wait-for-decades": Planted(
        "dispatch does not notice that its clock was set", "clock", "“come to rest”",
        "tests/delivery/test_clock.py::test_a_dispatch_that_does_not_notice_it_would_wait_for_decades",
    ),
    "never-ask-again": Planted(
        "nobody asks the ERP again for what it has lost", "lost elsewhere", "everybody's books",
        "tests/sim/test_lost_there.py::test_nobody_would_ask_it_again_without_the_replay",
    ),
    "let-everybody-in": Planted(
        "the door has no limit of what is under way", "overload", "“nobody waits for long”, or another limit",
        "tests/crash/test_overload.py::test_a_door_that_lets_everybody_in_is_noticed",
    ),
    "shed-what-is-acknowledged": Planted(
        "what is too much is dropped after it was acknowledged", "overload", "“what is acknowledged is kept”",
        "tests/crash/test_overload.py::test_a_door_that_sheds_what_it_has_acknowledged_is_noticed",
    ),
    "a-sync-for-each": Planted(
        "each delivery is a commit of its own, however many come together", "overload", "“nobody waits for more than four”",
        "tests/crash/test_overload.py::test_a_door_that_syncs_for_each_by_itself_is_noticed",
    ),
    "ask-without-end": Planted(
        "the API has no limit of what a caller may have undecided", "overload", "“each is taken or refused”",
        "tests/crash/test_overload_api.py::test_an_api_that_lets_everybody_in_is_noticed",
    ),
    "forget-who-gave-up": Planted(
        "who has given up waiting for the core leaves room for another, and is still to be decided", "overload",
        "“no more is kept than is bounded”", "tests/crash/test_overload_api.py::test_an_api_that_forgets_who_gave_up_is_noticed",
    ),
    "only-ascii": Planted(
        "a translation takes everything for ASCII", "bad inputs", "the fuzzer finds an input that ends it",
        "tests/badinput/test_fuzzing.py::test_a_translation_that_takes_everything_for_ascii_is_found",
    ),
    "a-door-more": Planted(
        "a reader of another kind of bytes is imported", "bad inputs", "the door that its import opens",
        "tests/badinput/test_catalogue.py::test_a_door_that_appears_is_noticed",
    ),
    "a-name-more": Planted(
        "the API has a field that only another door would bring", "bad inputs", "the door that its name tells of",
        "tests/badinput/test_catalogue.py::test_a_name_that_a_door_brings_is_noticed",
    ),
    "an-address-more": Planted(
        "a connector calls what an answer names", "bad inputs", "the connector, and where it does",
        "tests/badinput/test_catalogue.py::test_a_call_to_an_address_that_an_answer_named_is_noticed",
    ),
    "one-queue": Planted(
        "one queue for the effects of all orders", "lanes", "an order that is stuck holds up the others",
        "tests/delivery/test_lanes.py::test_with_one_queue_for_all_orders_one_holds_up_the_others",
    ),
    "no-chance": Planted(
        "pauses before a repeat bear no chance", "lanes", "all come back at one moment",
        "tests/delivery/test_pauses.py::test_pauses_differ_so_that_nobody_comes_back_at_once", "a planted bug: none",
    ),
    "one-order-breaks-us": Planted(
        "deciding on one order, and only on that one, breaks us", "guard", "a dead letter that says “bug”, and its neighbours go on",
        "tests/flows/test_poison.py::test_its_neighbours_in_the_batch_go_on_and_it_becomes_a_letter",
    ),
    "stripe-key-by-try": Planted(
        "Stripe: another key for each try", "vendors", "the refund is there twice, in the twin's effects",
        "tests/connectors/test_stripe_calls.py::test_planted_bug_a_new_key_for_each_attempt_is_seen_in_the_effects",
    ),
    "shipstation-key-by-try": Planted(
        "ShipStation: another key for each try", "vendors", "two labels, in the twin's effects",
        "tests/connectors/test_shipstation.py::test_planted_bug_a_new_key_for_each_attempt_prints_two_labels",
    ),
    "amazon-package-by-try": Planted(
        "Amazon: another package number for each try", "vendors", "two packages of one order",
        "tests/connectors/test_amazon_calls.py::test_planted_bug_a_new_package_number_for_each_try_ships_twice",
    ),
    "amazon-delete-at-once": Planted(
        "Amazon: notifications are deleted before they are recorded", "vendors", "after a crash they are gone",
        "tests/connectors/test_amazon_calls.py::test_planted_bug_deleting_at_once_loses_what_a_crash_forgets",
    ),
    "tryton-create-blindly": Planted(
        "Tryton: a sale is created without a look", "vendors", "two sales of one order",
        "tests/connectors/test_tryton_calls.py::test_planted_bug_creating_without_looking_first_books_twice",
    ),
    "tryton-own-tax": Planted(
        "Tryton adds a tax of its own", "vendors", "“totals_mismatch”",
        "tests/connectors/test_tryton_calls.py::test_planted_bug_a_tax_of_its_own_would_be_seen",
    ),
    "shopify-key-by-try": Planted(
        "Shopify: another key for each try of a level", "vendors", "units that were sold are there again",
        "tests/connectors/test_shopify_calls.py::test_planted_bug_a_key_for_each_try_undoes_a_sale",
    ),
    "shopify-never-look": Planted(
        "Shopify: a fulfilment is made without a look", "vendors", "two of one parcel, in the twin's effects",
        "tests/connectors/test_shopify_calls.py::test_planted_bug_a_connector_that_never_looks_ships_twice",
    ),
    "shopify-misspelt": Planted(
        "a field of a query to Shopify is misspelt", "documents", "Shopify's own schema refuses it",
        "tests/connectors/test_shopify_calls.py::test_the_schema_would_catch_a_misspelled_field",
    ),
    "amazon-odd-answer": Planted(
        "Amazon's twin answers in another shape than Amazon", "documents", "Amazon's model names the place",
        "tests/real/test_referees.py::test_planted_bug_an_answer_of_the_wrong_shape_is_seen",
    ),
    "amazon-odd-request": Planted(
        "we ask Amazon in a shape that it does not take", "documents", "Amazon's model names the place",
        "tests/real/test_referees.py::test_planted_bug_a_request_outside_the_contract_is_seen",
    ),
    "stripe-odd-words": Planted(
        "a request or an answer that Stripe's contract does not know", "documents", "Stripe's OpenAPI document names the place",
        "tests/real/test_referees.py::test_planted_bug_outside_stripe_s_contract_is_seen",
    ),
    "only-sqlite": Planted(
        "a statement that only SQLite understands", "documents", "“syntax error”, of PostgreSQL",
        "tests/real/test_postgresql.py::test_what_only_sqlite_understands_is_noticed",
    ),
    "spoilt-books": Planted(
        "one book of a calm history is spoilt, for each comparison that no other bug makes fail", "books", "that comparison, by its name",
        "tests/proof/test_books.py::test_a_spoilt_book_is_noticed_by_its_rule",
    ),
    "no-buffers": Planted(
        "channels that sell on their own are told everything that is there", "bench", "“the buffers are what keeps it”",
        "tests/proof/test_oversell.py::test_a_sale_keeps_its_budgets_with_buffers_and_misses_them_without",
    ),
}  # fmt: skip

GUARDS: dict[str, tuple[str, str]] = {  # bug -> what it does, and the test that guards against it; planted by tests/proof/planting.py
    "same-id-same-order": (
        "another order under an id that is known is taken for the same",
        "tests/flows/test_reservations.py::test_another_order_under_the_same_id_and_version_is_a_conflict",
    ),
    "keys-live-for-ever": (
        "a vendor is believed to know a key for ever",
        "tests/delivery/test_lanes.py::test_a_key_that_the_vendor_may_have_forgotten_is_looked_up_first",
    ),
    "limits-begin-anew": (
        "after a restart nothing is known of what was spent of a limit",
        "tests/delivery/test_pauses.py::test_a_crash_after_any_call_gives_nothing_back",
    ),
    "a-parcel-of-any-release": (
        "a parcel is taken off whichever store stands first, and not off the one that its release was of",
        "tests/flows/test_hard_cases.py::test_an_order_is_split_over_two_locations",
    ),
    "book-what-is-asked-back": (
        "a sale is booked while units of its order are asked back, and may be on their way",
        "tests/orders/test_decide.py::test_units_that_were_taken_off_after_release_and_left_all_the_same_are_named_and_off_the_shelf",
    ),
    "correct-in-place": ("the ledger's table lets postings be changed", "tests/storage/test_stores.py::test_a_posting_is_for_ever"),
    "believe-the-echo": (
        "what a channel says of a parcel that we told it of is taken for another parcel",
        "tests/orders/test_decide.py::test_the_channels_echo_of_our_parcel_ships_nothing_again",
    ),
    "undo-what-has-left": (
        "an order that has left is undone like any other", "tests/orders/test_decide.py::test_after_shipping_a_person_decides",
    ),
    "open-any-version": (
        "a store of any version is opened",
        "tests/storage/test_stores.py::test_a_store_of_another_mainstay_is_refused",
    ),
    "migrate-in-pieces": (
        "the steps of a migration are commits of their own",
        "tests/storage/test_stores.py::test_a_step_that_fails_leaves_the_store_as_it_was",
    ),
    "look-seldom": (
        "one in fifty documents is looked at, however few come", "tests/flows/test_drift.py::test_each_is_read_while_few_come",
    ),
    "no-lock": ("the file of a store is not locked", "tests/storage/test_stores.py::test_a_second_writer_is_refused_by_name"),
    "keep-card-numbers": (
        "no card number is found in a message", "tests/model/test_cards.py::test_several_in_one_message_and_the_security_code_beside_one",
    ),
    "closed-for-good": (
        "a door whose store failed once does not try again", "tests/edge/test_full_disk.py::test_a_real_edge_whose_file_cannot_grow",
    ),
    "keep-what-is-refused": (
        "what is refused because the disk is full is kept with what comes next all the same",
        "tests/edge/test_full_disk.py::test_what_cannot_be_kept_is_refused_and_may_come_again",
    ),
    "a-day-goes-unnoticed": (
        "dispatch does not notice that its clock was set by a day",
        "tests/delivery/test_clock.py::test_histories_in_which_the_clock_is_set",
    ),
    "pauses-of-the-old-clock": (
        "when the clock is set, pauses keep the end that they had by the old one",
        "tests/delivery/test_clock.py::test_a_pause_ends_when_it_would_have_ended",
    ),
    "blame-the-vendor": (
        "a vendor is taken to be down when it is this machine that can make no connection",
        "tests/delivery/test_lanes.py::test_a_machine_that_can_make_no_connection_blames_no_system",
    ),
    "call-any-address": (
        "whatever address an answer names is called",
        "tests/delivery/test_addresses.py::test_other_addresses_are_refused_before_anything_is_sent",
    ),
    "token-to-all": (
        "who is called at an address that an answer names is told our token",
        "tests/delivery/test_addresses.py::test_who_we_are_is_told_at_endpoints_alone",
    ),
    "follow-redirects": (
        "redirects are followed", "tests/delivery/test_addresses.py::test_a_redirect_is_not_followed",
    ),
    "show-to-any-channel": (
        "a channel is shown the orders and reservations of all by their numbers",
        "tests/edge/test_over_http.py::test_a_channel_sees_its_own_orders_and_reservations_and_no_others",
    ),
    "reservations-of-any-channel": (
        "a channel may confirm or give back another's reservation",
        "tests/edge/test_over_http.py::test_one_channel_does_not_get_another_s_reservation",
    ),
}  # fmt: skip


def every() -> dict[str, Planted]:
    """All of them, by name."""
    found = {
        name: Planted(bug.what, "power cuts" if bug.power else "simulator", bug.by, where=_seeds(bug)) for name, bug in MUTANTS.items()
    }
    found |= OUTSIDE
    found |= {name: Planted(what, "guard", f"“{guard.partition('::')[2]}” fails", GUARDED, name) for name, (what, guard) in GUARDS.items()}
    found |= {
        f"demo:{name}": Planted(what, "demo", "the report is bad, and says which figure", DEMO, name) for name, what in PLANTS.items()
    }
    for check in CHECKS:
        what = f"copies of a connector, each of which breaks the promise `{check.name}` in one way"
        found[f"suite:{check.name}"] = Planted(what, "suite", f"the check “{check.name}”: {check.sentence}", SUITE, check.name)
    return found


def _seeds(bug: Mutant) -> str:
    where = f'"{bug.scenario}"' if bug.scenario else "any history"
    return f"{where}, {len(bug.seeds)} seeds at most"
