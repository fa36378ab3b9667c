"""What the catalogue of reliability asks for, and where each is shown: the invariants, the faults, the planted bugs of its start list."""

from __future__ import annotations

from msgspec import Struct


class Asked(Struct, frozen=True):
    """`shown`: tests (path, or path::name) and planted bugs (a name of proof/sim/mutants). `but`: what of it is not shown, or
    "not yet: " and the door it waits for."""

    id: str
    what: str
    shown: tuple[str, ...] = ()
    but: str = ""


INVARIANTS = (
    Asked(
        "I1",
        "what is acknowledged is in stable storage before the answer",
        ("tests/crash/test_power.py", "lose-acknowledged", "acknowledge-first", "sync-seldom", "sync-never"),
        "not yet: CDC, whose acknowledgement is meant too",
    ),
    Asked(
        "I2",
        "nothing is taken in whose signature over the raw bytes is wrong or stale",
        (
            "tests/edge/test_door.py::test_who_cannot_prove_itself_is_refused",
            "tests/edge/test_door.py::test_who_proves_itself_is_stored_as_it_came",
            "tests/conformance/test_our_connectors.py",
        ),
        "named forgeries and drawn bytes of the body: not every bit of body, id, time and signature",
    ),
    Asked(
        "I3",
        "an event changes the state once, however often and whenever it comes",
        (
            "tests/edge/test_over_http.py::test_the_same_event_counts_once_however_often_it_comes",
            "tests/flows/test_convergence.py::test_duplicates_change_nothing_and_are_counted",
            "tests/sim/test_arrival.py::test_it_is_noticed_where_an_older_word_counts",
        ),
    ),
    Asked(
        "I4",
        "the same id with another body is set aside and neither merged nor dropped",
        (
            "tests/flows/test_reservations.py::test_another_order_under_the_same_id_and_version_is_a_conflict",
            "tests/flows/test_reservations.py::test_a_key_with_other_lines_is_a_mistake",
            "tests/edge/test_over_http.py::test_93_a_key_used_again",
        ),
        "only at our own API: of two webhooks under one id both are kept raw and the version decides, without a letter",
    ),
    Asked(
        "I5",
        "every receipt ends as one outcome, and the numbers add up",
        (
            "tests/flows/test_any_story.py::test_any_story_is_taken_and_told_again",
            "tests/flows/test_what_waits.py::test_every_receipt_ends_as_exactly_one_outcome",
            "position-first",
        ),
        "counted after power cuts, by verify and at the end of stories, not at every commit; by topic, not by flow",
    ),
    Asked(
        "I6",
        "any bytes get a documented refusal soon, in little memory, and no traceback",
        (
            "tests/badinput/test_catalogue.py",
            "tests/badinput/test_fuzzing.py::test_many_that_nobody_thought_of",
            "tests/badinput/test_openapi.py",
        ),
        "within 3 s at the door (1 s in each reader); memory is not measured by input; seconds of fuzzing, not a million a night",
    ),
    Asked(
        "E1",
        "after kills at any moment the effects outside are those of a calm run",
        (
            "tests/crash/test_kills.py::test_two_hundred_kills_change_nothing",
            "tests/crash/test_kills.py::test_a_door_that_answers_before_it_commits_is_noticed",
            "forget-the-crash",
        ),
    ),
    Asked(
        "E2",
        "nothing is asked of anybody before the intent is committed",
        ("tests/storage/test_stores.py::test_a_reader_sees_only_what_was_committed",),
        "no counterparty asks the store during the call: shown by what dispatch can read",
    ),
    Asked(
        "E3",
        "a retry bears the same key and the same bytes",
        (
            "tests/delivery/test_lanes.py::test_what_surely_did_not_happen_is_said_again_byte_for_byte",
            "tests/conformance/test_our_connectors.py",
            "tests/connectors/test_stripe_calls.py::test_planted_bug_a_new_key_for_each_attempt_is_seen_in_the_effects",
        ),
        "no golden bytes across versions; what changed is another intent under its own key, without a link to the old one",
    ),
    Asked(
        "E4",
        "a key that the vendor may have forgotten is looked up, not repeated",
        (
            "tests/delivery/test_lanes.py::test_a_key_that_the_vendor_may_have_forgotten_is_looked_up_first",
            "tests/delivery/test_lanes.py::test_a_key_from_before_a_restart_that_may_be_forgotten_is_looked_up_first",
            "tests/connectors/test_stripe_calls.py::test_a_key_is_forgotten_after_a_day_and_the_look_up_still_knows",
        ),
    ),
    Asked(
        "E5",
        "an effect whose answer was lost is neither doubled nor taken for failed",
        (
            "tests/delivery/test_lanes.py::test_a_lost_answer_is_looked_up_before_anything_else",
            "tests/conformance/test_our_connectors.py",
            "tests/sim/test_sim.py::test_a_thousand_seeds_break_nothing_and_every_fault_and_act_really_happens",
            "unknown-is-done",
        ),
        "not where a vendor without keys carries a call out more than a minute after we gave it up",
    ),
    Asked(
        "E6",
        "where there are no keys we look by our own reference first",
        (
            "tests/delivery/test_lanes.py::test_what_is_carried_out_late_is_found_and_not_done_twice",
            "tests/connectors/test_shopify_calls.py::test_planted_bug_a_connector_that_never_looks_ships_twice",
            "believe-at-once",
        ),
        "a look-up is blind only while a call lingers: no twin hides for minutes what it has taken",
    ),
    Asked(
        "E7",
        "no call before it may come, and no window over the declared limit, restarts included",
        (
            "tests/delivery/test_pauses.py::test_no_window_ever_holds_more_calls_than_declared",
            "tests/delivery/test_pauses.py::test_a_crash_after_any_call_gives_nothing_back",
            "tests/delivery/test_pauses.py::test_a_pause_grows_within_bounds_and_is_never_shorter_than_asked",
            "tests/delivery/test_lanes.py::test_what_was_spent_before_a_crash_is_spent_after_it",
        ),
    ),
    Asked(
        "E8",
        "a system that is down gets few probes, and no stampede when it is back",
        (
            "tests/delivery/test_lanes.py::test_a_system_that_is_down_is_not_hammered",
            "tests/delivery/test_pauses.py::test_pauses_differ_so_that_nobody_comes_back_at_once",
            "tests/delivery/test_backlog.py",
        ),
        "probes are counted, not as a part of the capacity; afterwards the limit holds, peak over mean is not measured",
    ),
    Asked(
        "S1",
        "no shelf promises more than it has, and the table itself refuses it",
        (
            "tests/storage/test_stores.py::test_plain_sql_cannot_oversell",
            "tests/storage/test_stores.py::test_nor_can_it_later",
            "tests/edge/test_over_http.py::test_many_buyers_and_few_units",
            "tests/crash/test_power.py",
            "promise-one-more",
        ),
        "40 buyers by HTTP, not 200 in 10,000 rounds; units that are counted away stand beside it as a named deficit",
    ),
    Asked(
        "S2",
        "what is reserved is the sum of its reservations, what is there that of its movements",
        (
            "tests/flows/test_any_story.py::test_any_story_is_taken_and_told_again",
            "tests/flows/test_convergence.py::test_the_log_alone_gives_the_state_back",
            "release-twice",
        ),
        "reservations at each commit; units on hand when the state is rebuilt from the log",
    ),
    Asked(
        "S3",
        "of many who want few units exactly as many get one",
        (
            "tests/edge/test_over_http.py::test_many_buyers_and_few_units",
            "tests/flows/test_reservations.py::test_two_orders_for_the_last_unit",
            "promise-one-more",
            "never-wake",
        ),
        "counted at the end: no history is checked against a linearisable counter",
    ),
    Asked(
        "S4",
        "demand is summed by item over the whole request, all or nothing",
        (
            "tests/stock/test_stock.py::test_two_lines_of_one_item_are_checked_together",
            "tests/stock/test_stock.py::test_all_or_nothing_names_everything_that_fell_short",
            "tests/flows/test_reservations.py::test_a_channel_that_asks_first_is_never_promised_what_is_not_there",
        ),
        "no planted bug of its own; a bundle is the lines that its channel makes of it",
    ),
    Asked(
        "S5",
        "a reservation ends once, as one of three",
        (
            "tests/flows/test_reservations.py::test_it_expires_once",
            "tests/flows/test_reservations.py::test_it_is_given_back_once",
            "tests/flows/test_reservations.py::test_one_reservation_is_confirmed_by_one_order",
            "never-expire",
            "release-twice",
        ),
        "expiry and order in one tick are not tried: one core takes them one after the other",
    ),
    Asked(
        "S6",
        "an older snapshot changes nothing newer, and an absolute count keeps later movements",
        (
            "tests/stock/test_stock.py::test_an_older_count_is_ignored",
            "tests/stock/test_stock.py::test_a_late_count_never_resurrects_sold_units",
            "tests/flows/test_convergence.py::test_stock_moves_and_counts_end_the_same_in_every_order",
            "recount-blindly",
        ),
    ),
    Asked(
        "S7",
        "at rest every channel shows what it may, and during the run a recent value",
        (
            "tests/sim/test_sim.py",
            "tests/delivery/test_reading_and_levels.py::test_the_latest_wins_and_the_last_value_always_arrives",
            "tell-half",
            "forget-the-last-process",
        ),
        "compared at rest; during a run delays are measured by the benchmark of a flash sale, and values are not compared",
    ),
    Asked(
        "M1",
        "every currency of the ledger sums to zero at each commit",
        (
            "tests/sim/test_sim.py",
            "tests/money/test_post.py::test_whatever_happens_the_books_stand_where_the_state_says",
            "tests/storage/test_stores.py::test_a_posting_stays_within_a_currency_and_between_accounts_that_are_there",
        ),
        "no planted bug unbalances it: a transfer is one row with two accounts of one currency, and cannot",
    ),
    Asked(
        "M2",
        "no binary float touches money, and parts add up to the whole",
        (
            "tests/model/test_money.py::test_money_is_a_whole_number",
            "tests/model/test_money.py::test_an_allocation_loses_nothing",
            "tests/storage/test_stores.py::test_an_integer_column_takes_integers_only",
            "tests/conformance/test_our_connectors.py",
        ),
        "no static rule against float: types, columns and the check of connectors do it; hundreds of splits, not a million",
    ),
    Asked(
        "M3",
        "what is posted is never changed or deleted",
        ("tests/storage/test_stores.py::test_a_posting_is_for_ever",),
        "a correction is a further transfer of its order, and does not name the old one; no planted bug of its own",
    ),
    Asked(
        "M4",
        "no more is captured than authorised, nor refunded than captured",
        (
            "tests/orders/test_decide.py::test_two_payments_are_captured_up_to_what_is_due",
            "tests/orders/test_decide.py::test_what_its_provider_gave_back_already_is_not_refunded_again",
            "tests/flows/test_hard_cases.py::test_more_given_back_than_was_taken_is_never_silent",
            "give-back-without-end",
        ),
        "for what we ask; what others give back beyond it is booked and named; no 50 refunds at once",
    ),
    Asked("M5", "each line of a payout is matched once or a named break", (), "not yet: reconciliation of payouts"),
    Asked(
        "M6",
        "the ERP books a source document at most once, and a closed period parks it",
        (
            "tests/real/test_tryton.py::test_the_second_push_makes_nothing_twice",
            "tests/real/test_tryton.py::test_an_interrupted_push_is_looked_up_and_goes_on",
            "tests/sim/test_lost_there.py",
            "lost-or-not",
        ),
        "no test closes a period: any refusal of the ERP is a dead letter",
    ),
    Asked(
        "C1",
        "changes of one key apply in version order and never two at once",
        (
            "tests/delivery/test_lanes.py::test_effects_of_one_order_keep_their_order",
            "tests/delivery/test_reading_and_levels.py::test_no_item_is_in_two_calls_at_once",
            "tests/orders/test_decide.py::test_only_a_later_version_is_news",
            "tests/storage/test_stores.py::test_another_process_cannot_write_what_this_one_writes",
        ),
        "by one writer and a lock of the file, without fencing tokens",
    ),
    Asked(
        "C2",
        "any order of arrival, repeats included, ends in one state",
        (
            "tests/flows/test_convergence.py::test_every_order_of_arrival_gives_the_same_state",
            "tests/sim/test_arrival.py",
            "tests/conformance/test_our_connectors.py",
        ),
        "all 720 orders of one set and drawn ones of others; a cancellation that crosses the goods may end in two ways, named",
    ),
    Asked(
        "C3",
        "without events reconciliation alone gets there, and with both nothing counts twice",
        ("tests/conformance/test_our_connectors.py", "tests/sim/test_sim.py", "never-poll", "leave-the-silence"),
        "alone for each connector; in whole histories events are lost and subscriptions go, but never all of them",
    ),
    Asked(
        "C4",
        "who wins a field does not hang on the order, and its owner does",
        (
            "tests/landscape/test_landscape_admit.py::test_the_first_owner_wins_however_they_arrive",
            "tests/landscape/test_landscape_admit.py::test_the_newest_wins_where_that_is_declared",
            "tests/flows/test_whose_word_counts.py::test_the_first_owner_wins_however_they_arrive",
        ),
        "two claims in both orders, by example: no property test over all fields and owners",
    ),
    Asked(
        "C5",
        "an external id names one thing of ours",
        (
            "tests/storage/test_stores.py::test_the_first_entity_keeps_an_id_that_two_claim",
            "tests/storage/test_stores.py::test_a_claim_within_one_merge_is_told_and_a_repeat_is_none",
            "tests/model/test_identity.py::test_two_externals_are_never_shown_alike",
        ),
        "by one writer: no two processes create the same; tombstones of merges have no test",
    ),
    Asked(
        "C6",
        "what we wrote and hear back writes nothing, and rings fall silent",
        (
            "tests/flows/test_order_lifecycle.py::test_the_channels_echo_of_our_fulfilment_is_a_proposal",
            "tests/orders/test_decide.py::test_the_channels_echo_of_our_parcel_ships_nothing_again",
            "tests/landscape/test_landscape_check.py::test_a_loop_over_three_systems_is_named",
        ),
        "a declared ring is named by check; none is run",
    ),
    Asked(
        "C7",
        "a position is never ahead of what was applied",
        ("tests/crash/test_power.py", "position-first", "lose-polled"),
        "not yet: CDC; shown for the positions of our inboxes and for the cursors of feeds",
    ),
    Asked("C8", "a lost slot or purged log stops the reading and is told", (), "not yet: CDC"),
    Asked(
        "C9",
        "new fields are kept and counted, a changed one sets aside only its own messages",
        (
            "tests/flows/test_drift.py::test_each_change_is_told_once_with_an_example_and_what_follows",
            "tests/flows/test_drift.py::test_what_was_always_there_is_missed_after_some_in_a_row",
            "tests/flows/test_drift.py::test_each_is_read_while_few_come",
            "tests/flows/test_drift.py::test_a_column_that_vanishes_from_a_file_is_told",
            "tests/flows/test_what_waits.py::test_a_message_that_cannot_be_read_stops_only_itself",
        ),
        "changes by hand: no mutator runs over the recorded payloads; single messages are set aside, not their type",
    ),
    Asked(
        "G1",
        "every order ends done, undone, or stuck with somebody who owns it",
        ("tests/sim/test_sim.py", "tests/orders/test_moves.py::test_every_way_leads_to_an_end", "never-expire", "forget-what-strayed"),
        "crashes and errors are drawn, and every disk operation fails once: not each error at each step",
    ),
    Asked(
        "G2",
        "a success that comes late is undone once",
        (
            "tests/flows/test_hard_cases.py::test_money_that_somebody_took_of_a_cancelled_order_is_named_until_it_is_given_back",
            "tests/orders/test_decide.py::test_our_own_capture_is_refunded_and_nobody_elses",
            "keep-the-money",
            "let-others-keep-it",
        ),
        "for money; a parcel that left after the cancellation is named, and a person decides",
    ),
    Asked(
        "G3",
        "while an order is being changed a second change waits",
        (
            "tests/orders/test_decide.py::test_after_release_the_warehouse_answers_first",
            "tests/flows/test_order_lifecycle.py::test_a_parcel_that_leaves_while_we_cancel_wins",
            "tests/orders/test_moves.py::test_a_move_that_is_not_in_the_table_says_what_is",
        ),
        "no locks as such: the state of the order and its one lane decide",
    ),
    Asked(
        "G4",
        "after the goods have left nothing is undone by itself",
        (
            "tests/orders/test_decide.py::test_after_shipping_a_person_decides",
            "tests/orders/test_decide.py::test_a_release_that_has_left_is_not_asked_back",
        ),
        "no planted bug of its own",
    ),
    Asked(
        "G5",
        "nothing is older than its deadline without somebody being told",
        (
            "tests/delivery/test_lanes.py::test_after_a_day_a_person_decides",
            "tests/delivery/test_lanes.py::test_what_the_business_needs_sooner_a_person_decides_sooner",
            "tests/alerts/test_decide.py::test_a_deadline_that_passes_is_told_once_unless_the_message_had_just_named_it",
            "held-for-ever",
        ),
        "in histories everything must come to rest: that an alert is open meanwhile is not looked at there",
    ),
    Asked(
        "G6",
        "what an older version wrote is understood, or refused by name",
        (
            "tests/model/test_events.py::test_a_recorded_event_stays_readable",
            "tests/flows/test_convergence.py::test_the_log_proves_itself_whatever_is_declared_since",
            "tests/app/test_processes.py::test_a_store_of_a_newer_version_is_neither_written_nor_read",
        ),
        "single events are recorded: no whole history of an older version is replayed",
    ),
    Asked(
        "O1",
        "a message that breaks us stops only its own key",
        (
            "tests/flows/test_poison.py::test_its_neighbours_in_the_batch_go_on_and_it_becomes_a_letter",
            "tests/delivery/test_lanes.py::test_a_bug_in_a_connector_stops_only_its_message",
            "tests/delivery/test_lanes.py::test_other_orders_go_on_while_one_is_blocked",
        ),
        "the latency of the other keys is not compared",
    ),
    Asked(
        "O2",
        "who is dead, slow or gone delays nobody else, and never the intake",
        (
            "tests/delivery/test_lanes.py::test_other_orders_go_on_while_one_is_blocked",
            "tests/delivery/test_reading_and_levels.py::test_a_feed_that_fails_keeps_its_place_and_comes_back",
            "tests/edge/test_questions.py::test_a_question_that_takes_long_holds_up_nothing",
            "tests/badinput/test_catalogue.py::test_bytes_on_the_wire",
        ),
        "by answers that do not come; no proxy resets or half-opens real connections to vendors",
    ),
    Asked(
        "O3",
        "what is too much is refused before it is acknowledged, in bounded memory",
        (
            "tests/crash/test_overload.py::test_a_hundred_times_too_much_is_shed_before_it_is_acknowledged",
            "tests/crash/test_overload.py::test_large_bodies_are_bounded_all_together",
            "tests/edge/test_door.py::test_when_too_much_waits_it_is_refused_before_it_is_acknowledged",
        ),
    ),
    Asked(
        "O4",
        "dead letters taken again, any number of times, count once; acts name who and why",
        (
            "tests/flows/test_what_waits.py::test_two_people_retry_at_once_and_one_of_them_does_it",
            "tests/flows/test_what_waits.py::test_suppressed_with_a_reason_that_stays",
            "tests/sim/test_sim.py",
            "repair-nothing",
            "replay-blindly",
        ),
    ),
    Asked(
        "O5",
        "every fault raises its own alert soon, and what is shown is what is stored",
        (
            "tests/app/test_alarms.py",
            "tests/app/test_alerts.py",
            "tests/sim/test_sim.py::test_every_view_is_compared_with_something",
            "forget-a-cause",
        ),
        "alarms are tried by cause, not by injected fault, and a minute is not asked of each",
    ),
    Asked(
        "D1",
        "no tenant sees a row of another",
        (
            "tests/edge/test_over_http.py::test_a_channel_sees_its_own_orders_and_reservations_and_no_others",
            "tests/edge/test_over_http.py::test_one_channel_does_not_get_another_s_reservation",
        ),
        "not yet: tenants; shown between the channels of one shop",
    ),
    Asked("D2", "who may not see a value cannot infer it either", (), "not yet: masking"),
    Asked(
        "D3",
        "after an erasure no file of ours holds the person, and the books still verify",
        (
            "tests/storage/test_archive.py::test_by_whatever_way_it_came_in_no_file_holds_it_after_the_erasure",
            "tests/storage/test_archive.py::test_after_erasure_the_log_still_gives_the_state_back",
            "keep-accounts-apart",
        ),
        "not yet: audit chain; backups that were taken before are not searched",
    ),
    Asked(
        "D4",
        "any change to the audit log is found by its last anchored head",
        ("tests/flows/test_convergence.py::test_a_row_of_the_log_that_is_damaged_is_named",),
        "not yet: audit chain; rows bear checksums, which a person with the file can make anew",
    ),
    Asked(
        "D5",
        "card numbers and security codes are in no file",
        (
            "tests/edge/test_over_http.py::test_97_a_card_number_is_in_no_file",
            "tests/edge/test_over_http.py::test_97_our_own_api_takes_no_card_number",
            "tests/model/test_cards.py::test_several_in_one_message_and_the_security_code_beside_one",
        ),
        "store and log are searched for card numbers; metrics and crash dumps are not",
    ),
    Asked(
        "D6",
        "secrets show nowhere",
        (
            "tests/model/test_identity.py::test_a_secret_never_prints",
            "tests/edge/test_over_http.py::test_nothing_personal_and_no_secret_is_in_metrics_logs_answers_or_snapshots",
            "tests/crash/test_backup.py::test_secrets_are_not_in_a_backup",
            "tests/conformance/test_our_connectors.py",
        ),
    ),
    Asked(
        "R1",
        "after any crash it is ready in seconds, by itself",
        (
            "tests/app/test_processes.py::test_killed_while_it_works_it_is_started_again_and_nothing_is_lost",
            "tests/crash/test_kills.py::test_two_hundred_kills_change_nothing",
        ),
        "seconds are measured by the benchmark of restarts at peak load, not with a million receipts in the inbox",
    ),
    Asked(
        "R2",
        "on a full disk it refuses, loses nothing and goes on when there is room",
        (
            "tests/edge/test_full_disk.py::test_what_cannot_be_kept_is_refused_and_may_come_again",
            "tests/edge/test_full_disk.py::test_a_real_edge_whose_file_cannot_grow",
            "tests/crash/test_io_errors.py::test_every_operation_may_fail",
        ),
        "the refusal is 503 with Retry-After, not 507",
    ),
    Asked(
        "R3",
        "two versions run together or refuse, and a migration that breaks off resumes",
        (
            "tests/storage/test_stores.py::test_a_step_that_fails_leaves_the_store_as_it_was",
            "tests/storage/test_stores.py::test_an_older_store_is_brought_up_to_date_by_its_writer",
            "tests/app/test_processes.py::test_a_store_of_a_newer_version_is_neither_written_nor_read",
        ),
        "a step that fails, not a kill at each statement; nothing is upgraded under traffic",
    ),
    Asked(
        "R4",
        "a backup and what sources say again give the same state",
        (
            "tests/crash/test_restore.py::test_after_a_restore_the_books_of_all_agree_again",
            "tests/crash/test_backup.py::test_a_backup_under_load_is_of_one_moment_and_what_is_restored_goes_on",
            "tests/crash/test_backup.py::test_a_backup_of_several_moments_is_noticed",
        ),
        "everybody's books are compared, not a hash; no RPO is stated",
    ),
    Asked(
        "R5",
        "a seed gives the same history every time",
        ("tests/sim/test_sim.py::test_a_seed_is_the_same_wherever_it_is_played",),
        "in two processes with other hash seeds, not on two machines",
    ),
    Asked(
        "R6",
        "a clock that jumps changes no order, no repeat and no waiting time",
        (
            "tests/delivery/test_clock.py",
            "tests/model/test_timetable.py::test_a_clock_change_neither_leaves_a_time_out_nor_brings_it_twice",
        ),
        "a day, an hour, 1970, 2038, 9999: a jump and back, at the start, or for ever; what a jump makes late is cancelled by name",
    ),
    Asked(
        "R7",
        "a second process on a store is refused, and a paused leader cannot commit",
        (
            "tests/storage/test_stores.py::test_a_second_writer_is_refused_by_name",
            "tests/app/test_processes.py::test_a_second_process_on_the_same_file_is_refused",
        ),
        "not yet: several cores (leader and takeover)",
    ),
)

FAULTS = (
    Asked(
        "F1",
        "a crash at each point of a commit",
        (
            "tests/crash/test_power.py::test_a_thousand_cuts_lose_nothing",
            "tests/crash/test_kills.py::test_two_hundred_kills_change_nothing",
            "tests/delivery/test_files.py::test_a_crash_at_any_moment_loses_nothing_and_doubles_nothing",
        ),
        "at drawn operations and instants; at each point in turn only where files are made and folders are read",
    ),
    Asked(
        "F2",
        "a crash while it recovers from one",
        (
            "tests/crash/test_power.py::test_the_power_may_go_again_while_it_starts",
            "tests/crash/test_power.py::test_a_start_that_empties_the_log_before_the_file_is_safe_is_noticed",
            "tests/crash/test_kills.py::test_two_hundred_kills_change_nothing",
        ),
        "one to four cuts in a row, at each disk operation of a start in turn; kill -9 of processes that start is drawn, not counted",
    ),
    Asked(
        "F3",
        "unsynced writes that are torn, lost or in another order",
        ("tests/crash/test_power.py", "sync-seldom", "sync-never"),
    ),
    Asked(
        "F4",
        "a flipped bit, a cut file, a page in the wrong place",
        (
            "tests/crash/test_damage.py",
            "tests/crash/test_backup.py::test_every_flipped_bit_of_a_backup_is_named",
            "tests/crash/test_backup.py::test_a_set_that_is_mixed_or_not_whole_is_refused_by_name",
            "tests/storage/test_archive.py::test_a_changed_byte_is_not_taken_for_the_message",
        ),
        "bits, files cut off, none, or missing, and pages that changed places; in the write-ahead log only what is opened after a crash",
    ),
    Asked(
        "F5",
        "I/O errors, a full or read-only disk, no file handles",
        (
            "tests/crash/test_io_errors.py",
            "tests/edge/test_full_disk.py",
            "tests/crash/test_overload.py::test_an_edge_without_file_handles_refuses_before_it_acknowledges_and_comes_back",
        ),
        "a file system that turns read-only is not tried",
    ),
    Asked(
        "F6",
        "a process that runs out of memory",
        (
            "tests/crash/test_memory.py::test_who_reaches_its_limit_of_memory_ends_and_nothing_is_lost",
            "tests/crash/test_memory.py::test_who_goes_on_without_memory_is_noticed",
            "tests/app/test_memory.py",
            "tests/flows/test_poison.py::test_that_no_memory_is_left_is_no_messages_fault",
            "tests/delivery/test_lanes.py::test_that_no_memory_is_left_in_a_conversation_is_looked_up_and_no_letter",
            "tests/crash/test_kills.py::test_two_hundred_kills_change_nothing",
        ),
        "a limit of the address space, reached once by each process; no allocation is made to fail in turn; not the supervisor's",
    ),
    Asked(
        "F7",
        "a process that is stopped for a while, or told to end while it works",
        (
            "tests/crash/test_standing.py::test_who_stands_still_goes_on_as_if_nothing_had_been",
            "tests/crash/test_standing.py::test_a_bug_that_shows_when_somebody_stands_still_is_noticed",
            "tests/app/test_processes.py::test_a_stop_drains_what_has_arrived",
            "tests/app/test_processes.py::test_who_stands_still_for_long_is_ended_and_started_again",
        ),
        "each stands still once, for 12 s: longer than senders, callers and /ready wait; nobody alerts of a dispatch that does",
    ),
    Asked(
        "F8",
        "clocks that jump, go back or differ",
        (
            "tests/delivery/test_clock.py::test_histories_in_which_the_clock_is_set",
            "tests/delivery/test_clock.py::test_histories_in_which_the_clock_is_decades_off",
            "tests/model/test_timetable.py::test_a_clock_change_neither_leaves_a_time_out_nor_brings_it_twice",
        ),
        "one machine's clock, by a day, an hour or decades, and summer time; no leap second",
    ),
    Asked(
        "F9",
        "a webhook that comes again, at once or days later",
        (
            "tests/sim/test_sim.py::test_a_thousand_seeds_break_nothing_and_every_fault_and_act_really_happens",
            "tests/edge/test_over_http.py::test_the_same_event_counts_once_however_often_it_comes",
            "tests/conformance/test_our_connectors.py",
        ),
        "in histories a copy comes within seconds; 32 at once are tried at the door; none comes days later",
    ),
    Asked(
        "F10",
        "deliveries in another order, late or never",
        (
            "tests/sim/test_sim.py",
            "tests/flows/test_hard_cases.py::test_a_refund_that_comes_before_its_order_waits_for_it",
            "forget-early",
            "drop-what-is-early",
        ),
        "a delay is seconds in the twins; what waits for a day is tried by hand, hours and days in histories are not",
    ),
    Asked(
        "F11",
        "a sender that gives up or forgets our subscription",
        ("tests/delivery/test_custody.py", "tests/sim/test_sim.py", "leave-the-silence"),
    ),
    Asked(
        "F12",
        "half a batch acknowledged, then a crash; batches of any size",
        (
            "tests/flows/test_convergence.py::test_batching_changes_no_state_no_id_and_no_intent",
            "tests/delivery/test_reading_and_levels.py::test_a_page_and_its_cursor_are_one_commit",
            "tests/conformance/test_our_connectors.py",
            "time-of-the-batch",
        ),
        "batches of 1 to 64 receipts in histories, not of 500",
    ),
    Asked(
        "F13",
        "every status of a vendor, and answers that are not what they say",
        (
            "tests/connectors/test_shopify_calls.py::test_what_an_answer_means",
            "tests/delivery/test_lanes.py::test_what_surely_did_not_happen_is_said_again_byte_for_byte",
            "tests/badinput/test_catalogue.py::test_an_answer",
            "tests/conformance/test_our_connectors.py",
        ),
        "302, 401, 429 and 503 for each connector, others where a vendor is known for them: not each status for each",
    ),
    Asked(
        "F14",
        "an answer that is lost, cut, repeated or another's",
        (
            "tests/conformance/test_our_connectors.py",
            "tests/sim/test_sim.py",
            "tests/badinput/test_catalogue.py::test_an_answer",
            "unknown-is-done",
        ),
        "lost ones and calls that linger in histories, cut ones by example; no answer of another request",
    ),
    Asked(
        "F15",
        "a bulk call that fails in part, a result that comes late or never",
        (
            "tests/conformance/test_our_connectors.py",
            "tests/sim/test_sim.py",
            "tests/connectors/test_amazon_calls.py::test_a_feed_that_does_not_end_well",
            "tests/connectors/test_amazon_calls.py::test_an_error_does_not_take_back_a_feed",
            "an-error-ends-the-feed",
        ),
        "a result file that is sent again is not tried",
    ),
    Asked(
        "F16",
        "slow readers, half-open or reset connections, TLS and DNS that change",
        (
            "tests/badinput/test_catalogue.py::test_bytes_on_the_wire",
            "tests/edge/test_door.py::test_who_does_not_finish_is_not_waited_for",
            "tests/sim/test_sim.py",
        ),
        "slow and broken senders at our door, and lines that are down in histories; no TLS expiry, no DNS, no proxy",
    ),
    Asked(
        "F17",
        "a lower limit, an expired token, items that move between pages",
        (
            "tests/delivery/test_pauses.py::test_what_the_vendor_measured_is_believed_downwards_only",
            "tests/connectors/test_amazon_calls.py::test_a_token_lives_an_hour",
            "tests/delivery/test_lanes.py::test_credentials_that_do_not_work_keep_the_message_and_probe",
            "tests/conformance/test_our_connectors.py",
        ),
        "each by itself: no history lowers a limit or takes a token away",
    ),
    Asked(
        "F18",
        "a counterparty that shows what it took only minutes later",
        ("tests/delivery/test_lanes.py::test_what_is_carried_out_late_is_found_and_not_done_twice", "believe-at-once"),
        "calls that are carried out up to 50 s late look the same; none is done at once and shown later",
    ),
    Asked("F19", "a database server that drops, deadlocks or fails over", (), "not yet: PostgreSQL as the store"),
    Asked(
        "F20",
        "a broker that restarts, rebalances or forgets",
        ("tests/connectors/test_amazon_calls.py::test_notifications_are_deleted_only_after_they_are_recorded",),
        "not yet: Kafka; shown for the queue that Amazon's notifications come by",
    ),
    Asked("F21", "lost slots, purged logs and odd rows of a change stream", (), "not yet: CDC"),
    Asked(
        "F22",
        "files that are half there, twice there, renamed or wrong inside",
        ("tests/delivery/test_files.py", "tests/badinput/test_catalogue.py::test_a_file"),
        "not yet: EDI, with its segments and control totals",
    ),
    Asked(
        "F23",
        "payloads that are malformed, huge, deep or bombs",
        ("tests/badinput/test_catalogue.py", "tests/badinput/test_fuzzing.py"),
        "seconds of fuzzing for each reader, not a million inputs a night",
    ),
    Asked(
        "F24",
        "fields that come, go or change their type, and new words",
        (
            "tests/flows/test_drift.py",
            "tests/conformance/test_our_connectors.py",
            "tests/flows/test_what_waits.py::test_retried_with_a_new_mapping_it_is_taken",
        ),
        "changes by hand, no mutator; cents that become units are not noticed as such",
    ),
    Asked(
        "F25",
        "links that stop one by one and come back in any order",
        ("tests/sim/test_sim.py::test_all_links_stop_and_come_back_in_another_order",),
        "the links between Mainstay and each system; not those between its own processes, which are files and doorbells",
    ),
    Asked(
        "F26",
        "people who replay, click twice, map wrongly or restore an old backup",
        (
            "tests/sim/test_sim.py",
            "tests/flows/test_what_waits.py::test_two_people_retry_at_once_and_one_of_them_does_it",
            "tests/flows/test_replay.py",
            "tests/crash/test_restore.py",
            "tests/flows/test_restored.py",
            "read-nothing-again",
        ),
        "a key that is rotated too early is not tried",
    ),
    Asked(
        "F27",
        "an upgrade and its way back under load",
        (
            "tests/app/test_processes.py::test_who_goes_back_to_an_older_version_is_refused_and_finds_all_as_it_was_when_they_return",
            "tests/app/test_processes.py::test_a_store_of_an_earlier_version_is_brought_up_to_date",
            "tests/app/test_processes.py::test_a_store_of_a_newer_version_is_neither_written_nor_read",
        ),
        "the way back is refused, not gone; the older one is this code with one step less of the schema: two builds are not run",
    ),
)

BUGS = (
    Asked(
        "B1",
        "the guards against overselling are gone",
        ("promise-one-more", "tests/storage/test_stores.py::test_plain_sql_cannot_oversell"),
        "the count is spoilt, and the CHECK stops it; the CHECK itself is not taken away",
    ),
    Asked(
        "B2",
        "an effect is taken for sent before it is",
        ("done-before", "unknown-is-done"),
    ),
    Asked(
        "B3",
        "another key for each try",
        (
            "tests/connectors/test_stripe_calls.py::test_planted_bug_a_new_key_for_each_attempt_is_seen_in_the_effects",
            "tests/connectors/test_shipstation.py::test_planted_bug_a_new_key_for_each_attempt_prints_two_labels",
            "tests/connectors/test_amazon_calls.py::test_planted_bug_a_new_package_number_for_each_try_ships_twice",
        ),
    ),
    Asked(
        "B4",
        "a repeat takes the place of the first",
        ("tests/sim/test_arrival.py::test_it_is_noticed_where_an_older_word_counts", "replay-blindly"),
        "nothing is deduplicated by a row of a table: planted where repeats and older words are told from news",
    ),
    Asked("B5", "the acknowledgement comes before the commit", ("acknowledge-first", "lose-acknowledged")),
    Asked("B6", "commits are not synced", ("sync-seldom", "sync-never")),
    Asked("B7", "a position goes ahead of what was done", ("position-first", "lose-polled")),
    Asked(
        "B8",
        "each line of a request is checked by itself",
        ("each-line-by-itself", "tests/stock/test_stock.py::test_two_lines_of_one_item_are_checked_together"),
    ),
    Asked(
        "B9",
        "money as floating-point numbers",
        ("tests/contract/test_conformance_suite.py::test_a_broken_copy_is_caught_by_its_check",),
        "planted in a connector only; elsewhere the type refuses it",
    ),
    Asked(
        "B10",
        "what is newer is decided by when it came",
        (
            "tests/contract/test_conformance_suite.py::test_a_broken_copy_is_caught_by_its_check",
            "tests/sim/test_arrival.py::test_it_is_noticed_where_an_older_word_counts",
        ),
    ),
    Asked(
        "B11",
        "a failure is swallowed and called done",
        ("unknown-is-done", "tests/contract/test_conformance_suite.py::test_a_broken_copy_is_caught_by_its_check"),
    ),
    Asked("B12", "a reservation is given back twice", ("release-twice",)),
    Asked(
        "B13",
        "one queue for all keys",
        (
            "tests/delivery/test_lanes.py::test_with_one_queue_for_all_orders_one_holds_up_the_others",
            "tests/flows/test_poison.py::test_its_neighbours_in_the_batch_go_on_and_it_becomes_a_letter",
        ),
        "planted for effects; for messages that come in a test of the product forbids it",
    ),
    Asked(
        "B14",
        "retries without chance in their pauses",
        ("tests/delivery/test_pauses.py::test_pauses_differ_so_that_nobody_comes_back_at_once",),
    ),
    Asked("B15", "values are hidden only in what is listed", (), "not yet: masking"),
    Asked("B16", "a chain without a head kept elsewhere", (), "not yet: audit chain"),
    Asked(
        "B17",
        "redirects are followed",
        (
            "tests/contract/test_conformance_suite.py::test_a_broken_copy_is_caught_by_its_check",
            "tests/badinput/test_catalogue.py::test_an_answer",
        ),
    ),
)
