-- name: words
-- All names with their numbers.
SELECT id, text FROM word;

-- name: add_word
-- A new name.
INSERT INTO word (id, text) VALUES (?, ?);

-- name: counters
-- Last numbers given out, and positions.
SELECT name, value FROM counter;

-- name: set_counter
-- Remember a number or a position.
INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: add_event
-- One row of the log.
INSERT INTO event (seq, at, kind, entity, body, head) VALUES (?, ?, ?, ?, ?, ?);

-- name: events_from
-- The log in order, from a number on.
SELECT seq, at, kind, entity, body, head FROM event WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: heard_between
-- What was heard of orders, or only proposed, from one moment to before another.
SELECT seq, kind, entity, body FROM event WHERE at >= ? AND at < ? AND kind IN ('order', 'proposal') ORDER BY seq;

-- name: load_events
-- Rows of the log by number.
SELECT seq, kind, entity, body FROM event WHERE seq IN (SELECT value FROM numbers(?)) ORDER BY seq;

-- name: events_of
-- The log of one entity. Hints, early statements and settings are numbered apart.
SELECT seq, at, kind, entity, body FROM event WHERE entity = ? AND kind NOT IN ('hint', 'early', 'settings') ORDER BY seq;

-- name: reserved_with
-- Rows of the log that may hold a reservation's own event: those that came one after the other share the row of the first.
SELECT at, body FROM event WHERE kind = 'reservations' AND entity > ? - 256 AND entity <= ? ORDER BY seq;

-- name: find_xrefs
-- Entities of a list of [space, their id] pairs, as far as they are merged already.
SELECT pair.key, xref.entity
FROM pairs(?) AS pair JOIN xref ON xref.space = CAST(pair.value ->> 0 AS BIGINT) AND xref.ext = pair.value ->> 1;

-- name: recent_xrefs
-- Cross-references that are not merged yet; they are held in memory.
SELECT space, ext, entity FROM xref_new ORDER BY n;

-- name: add_xref
-- A cross-reference, in the order of its arrival.
INSERT INTO xref_new (space, ext, entity) VALUES (?, ?, ?);

-- name: merge_xrefs
-- Move the new cross-references, sorted, to their place. The first entity keeps an id that two claim.
INSERT INTO xref (space, ext, entity) SELECT space, ext, entity FROM xref_new WHERE true ORDER BY space, ext, n
ON CONFLICT (space, ext) DO NOTHING;

-- name: count_new_xrefs
-- How many cross-references wait for the merge.
SELECT count(*) FROM xref_new;

-- name: claimed_twice
-- New cross-references whose id another entity has in the table: space, id, who keeps it, who claimed it later.
SELECT fresh.space, fresh.ext, xref.entity, fresh.entity
FROM xref_new AS fresh JOIN xref ON xref.space = fresh.space AND xref.ext = fresh.ext
WHERE xref.entity <> fresh.entity ORDER BY fresh.n;

-- name: clear_new_xrefs
-- After the merge.
DELETE FROM xref_new;

-- name: load_orders
-- Orders by number, each with the row of the log that holds its source's last statement.
SELECT orders.id, orders.body, event.body FROM orders LEFT JOIN event ON event.seq = orders.heard
WHERE orders.id IN (SELECT value FROM numbers(?));

-- name: save_order
-- An order as it now stands.
INSERT INTO orders (id, status, open, at, heard, subject, body) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, open = excluded.open, at = excluded.at, heard = excluded.heard,
  subject = excluded.subject, body = excluded.body;

-- name: load_reservations
-- Reservations by number.
SELECT id, body FROM reservation WHERE id IN (SELECT value FROM numbers(?));

-- name: reserved_between
-- Reservations that stand, numbered from one number to before another.
SELECT id FROM reservation WHERE id >= ? AND id < ? AND status = 'reserved';

-- name: save_reservation
-- A reservation as it now stands.
INSERT INTO reservation (id, status, expires, body) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, expires = excluded.expires, body = excluded.body;

-- name: find_items
-- Items by SKU.
SELECT sku, id FROM item WHERE sku IN (SELECT value FROM texts(?));

-- name: spelt_otherwise
-- SKUs that differ from one in small and large letters alone. The index of all SKUs is read through: asked for a person, of what is short.
SELECT sku FROM item WHERE lower(sku) = lower(?) AND sku <> ? ORDER BY sku LIMIT 3;

-- name: load_items
-- Items by number.
SELECT id, body FROM item WHERE id IN (SELECT value FROM numbers(?));

-- name: save_item
-- An item as it now stands.
INSERT INTO item (id, sku, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- name: load_stock
-- All locations of a list of items.
SELECT stock.id, on_hand, allocated, reserved, in_transit, damaged, safety, deficit, unbooked, counted_at, stated, recent
FROM numbers(?) AS wanted JOIN stock ON stock.id >= wanted.value * 256 AND stock.id < wanted.value * 256 + 256;

-- name: save_stock
-- A stock row as it now stands.
INSERT INTO stock (id, on_hand, allocated, reserved, in_transit, damaged, safety, deficit, unbooked, counted_at, stated, recent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET on_hand = excluded.on_hand, allocated = excluded.allocated, reserved = excluded.reserved,
  in_transit = excluded.in_transit, damaged = excluded.damaged, safety = excluded.safety, deficit = excluded.deficit,
  unbooked = excluded.unbooked, counted_at = excluded.counted_at, stated = excluded.stated, recent = excluded.recent;

-- name: accounts
-- The chart of accounts with balances.
SELECT id, name, currency, balance FROM account;

-- name: save_account
-- An account's balance after the batch.
INSERT INTO account (id, name, currency, balance) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance;

-- name: add_transfer
-- One posting.
INSERT INTO transfer (id, entry, entity, what, debit, credit, amount) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: add_intent
-- One effect that is to happen elsewhere.
INSERT INTO intent (id, at, system, entity, body) VALUES (?, ?, ?, ?, ?);

-- name: intents_from
-- Intents that delivery has not taken over yet.
SELECT id, at, system, entity, body FROM intent WHERE id > ? ORDER BY id LIMIT ?;

-- name: intents_between
-- Effects of orders that were asked from one moment to before another.
SELECT id, system, body FROM intent WHERE at >= ? AND at < ? AND entity > 0 ORDER BY id;

-- name: load_intents
-- Intents by number.
SELECT id, at, system, entity, body FROM intent WHERE id IN (SELECT value FROM numbers(?)) ORDER BY id;

-- name: add_timer
-- Something to look at when its time comes.
INSERT INTO timer (due, kind, entity) VALUES (?, ?, ?) ON CONFLICT (due, kind, entity) DO NOTHING;

-- name: due_timers
-- Timers whose time has come.
SELECT due, kind, entity FROM timer WHERE due <= ? ORDER BY due, kind, entity LIMIT ?;

-- name: next_timer
-- When the next timer is due.
SELECT min(due) FROM timer;

-- name: drop_timer
-- A timer that was looked at.
DELETE FROM timer WHERE due = ? AND kind = ? AND entity = ?;

-- name: find_backlog
-- Orders that wait for an item, oldest first.
SELECT item, entity FROM backlog WHERE item IN (SELECT value FROM numbers(?)) ORDER BY entity LIMIT ?;

-- name: contested_items
-- Items of which more is wanted than there is.
SELECT DISTINCT id / 256 FROM stock WHERE deficit > 0 UNION SELECT item FROM backlog;

-- name: open_orders
-- Orders that are not over, by number.
SELECT id FROM orders WHERE open = 1 ORDER BY id;

-- name: add_backlog
-- An order that waits for an item.
INSERT INTO backlog (item, entity) VALUES (?, ?) ON CONFLICT (item, entity) DO NOTHING;

-- name: drop_backlog
-- An order that waits no more.
DELETE FROM backlog WHERE item = ? AND entity = ?;

-- name: find_early
-- Statements that waited for a list of [space, their id] pairs, in the order of their arrival.
SELECT early.n, early.space, early.ext, early.body
FROM pairs(?) AS pair JOIN early ON early.space = CAST(pair.value ->> 0 AS BIGINT) AND early.ext = pair.value ->> 1 ORDER BY early.n;

-- name: add_early
-- A statement about something that has not arrived.
INSERT INTO early (n, space, ext, due, body) VALUES (?, ?, ?, ?, ?);

-- name: drop_early
-- It has arrived.
DELETE FROM early WHERE n = ?;

-- name: load_letters
-- Dead letters by number.
SELECT id, at, status, code, owner, about, body FROM letter WHERE id IN (SELECT value FROM numbers(?));

-- name: save_letter
-- A dead letter as it now stands.
INSERT INTO letter (id, at, status, code, owner, about, body) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, code = excluded.code, owner = excluded.owner, body = excluded.body;

-- name: add_proposal
-- What a system said of what another owns.
INSERT INTO proposal (id, at, body) VALUES (?, ?, ?);

-- name: save_person
-- The personal data that an order (0: the customer's own record) brought of a subject, as last stated. Who was erased stays erased.
INSERT INTO vault (subject, brought, body) VALUES (?, ?, ?) ON CONFLICT (subject, brought) DO UPDATE SET body = excluded.body;

-- name: drop_person
-- What an order brought of one who is not its buyer any more. Who was erased stays erased.
DELETE FROM vault WHERE subject = ? AND brought = ? AND length(body) > 0;

-- name: log_of
-- Rows of the log of these entities, with their kind: some kinds are numbered by themselves.
SELECT kind, body FROM event WHERE entity IN (SELECT value FROM numbers(?)) ORDER BY seq;

-- name: load_buyer
-- What orders brought of the buyers that they have now.
SELECT orders.id, vault.body FROM orders JOIN vault ON vault.subject = orders.subject AND vault.brought = orders.id
WHERE length(vault.body) > 0 AND orders.id IN (SELECT value FROM numbers(?));

-- name: load_people
-- Personal data by subject, with the order that brought it.
SELECT subject, brought, body FROM vault WHERE length(body) > 0 AND subject IN (SELECT value FROM numbers(?));

-- name: load_erased
-- Those of a list of subjects that were erased.
SELECT DISTINCT subject FROM vault WHERE length(body) = 0 AND subject IN (SELECT value FROM numbers(?));

-- name: blank_people
-- Delete all personal data of a subject.
UPDATE vault SET body = ? WHERE subject = ?;

-- name: erase_person
-- Remember that a subject was erased, also one of whom nothing is known.
INSERT INTO vault (body, subject, brought) VALUES (?, ?, 0) ON CONFLICT (subject, brought) DO UPDATE SET body = excluded.body;

-- name: add_answer
-- What the callers that waited for a batch are told.
INSERT INTO answer (receipt, body) VALUES (?, ?);

-- name: answers_from
-- Answers to a receipt and later ones.
SELECT body FROM answer WHERE receipt >= ? ORDER BY receipt;

-- name: drop_answers
-- Answers that nobody waits for any more.
DELETE FROM answer WHERE receipt < ?;

-- name: add_level_change
-- The items whose stock changed in this batch.
INSERT INTO level_change (seq, at, items) VALUES (?, ?, ?);

-- name: level_changes_from
-- What changed since.
SELECT seq, at, items FROM level_change WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: drop_level_changes
-- Changes that every channel has passed.
DELETE FROM level_change WHERE seq < ?;

-- name: add_price_change
-- The items whose price changed in this batch.
INSERT INTO price_change (seq, at, items) VALUES (?, ?, ?);

-- name: price_changes_from
-- What changed since.
SELECT seq, at, items FROM price_change WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: drop_price_changes
-- Changes that every system has passed.
DELETE FROM price_change WHERE seq < ?;

-- name: add_handled
-- Whose receipts this batch held.
INSERT INTO handled (seq, source, subjects) VALUES (?, ?, ?);

-- name: handled_from
-- Batches that the archive has not taken over yet.
SELECT seq, subjects FROM handled WHERE seq > ? AND source = ? ORDER BY seq LIMIT ?;

-- name: all_handled
-- Whose receipts the last batches held, as far as they are kept.
SELECT subjects FROM handled ORDER BY seq;

-- name: drop_handled
-- Batches whose receipts are archived.
DELETE FROM handled WHERE seq <= ? AND source = ?;

-- name: add_tally
-- Count how receipts ended.
INSERT INTO tally (system, topic, outcome, n) VALUES (?, ?, ?, ?)
ON CONFLICT (system, topic, outcome) DO UPDATE SET n = tally.n + excluded.n;

-- name: find_recent_xref
-- A cross-reference that is not merged yet.
SELECT entity FROM xref_new WHERE space = ? AND ext = ?;

-- name: count_backlog
-- How many orders wait for items.
SELECT count(*) FROM backlog;

-- name: count_early
-- How many statements wait for what they speak of.
SELECT count(*) FROM early;

-- name: one_early
-- A statement that waits.
SELECT body FROM early WHERE n = ?;

-- name: all_items
-- The number of every item.
SELECT id FROM item ORDER BY id;

-- name: all_people
-- All personal data: for a search by address, which is seldom.
SELECT subject, brought, body FROM vault WHERE length(body) > 0;

-- name: erased_from
-- Who was erased, after a number of the log.
SELECT seq, entity, body FROM event WHERE kind = 'subject' AND seq > ? ORDER BY seq;

-- name: orders_of_subjects
-- Orders that concern these people.
SELECT id FROM orders WHERE subject IN (SELECT value FROM numbers(?)) ORDER BY id LIMIT ?;

-- name: orders_by_status
-- How many orders stand where.
SELECT status, count(*) FROM orders GROUP BY status;

-- name: reservations_by_status
-- How many reservations stand where.
SELECT status, count(*) FROM reservation GROUP BY status;

-- name: open_letters_by_code
-- How many dead letters are open, by code.
SELECT code, count(*) FROM letter WHERE status = 'open' GROUP BY code;

-- name: open_letters_by_owner
-- How many dead letters are open, by code and owner, and since when the oldest waits.
SELECT code, owner, count(*), min(at) FROM letter WHERE status = 'open' GROUP BY code, owner;

-- name: load_jobs
-- Jobs by number.
SELECT id, status, body FROM job WHERE id IN (SELECT value FROM numbers(?));

-- name: save_job
-- A job as it now stands.
INSERT INTO job (id, status, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body;

-- name: save_pause
-- What people hold back, as it now stands.
INSERT INTO pause (target, mode, at, body) VALUES (?, ?, ?, ?)
ON CONFLICT (target) DO UPDATE SET mode = excluded.mode, at = excluded.at, body = excluded.body;

-- name: pauses
-- What is held back now.
SELECT target, mode, at, body FROM pause WHERE mode <> 'running' ORDER BY target;

-- name: newest_jobs
-- Jobs, newest first.
SELECT body FROM job ORDER BY id DESC LIMIT ?;

-- name: letters_as
-- Dead letters of a status, newest first.
SELECT id, at, code, owner, about, body FROM letter WHERE status = ? ORDER BY id DESC LIMIT ?;

-- name: count_proposals
-- How many statements changed nothing, since their speaker does not own what they speak of.
SELECT count(*) FROM proposal;

-- name: count_uncounted
-- Items of which nobody has said yet what there is, at any location.
SELECT count(*) FROM item WHERE NOT EXISTS (SELECT 1 FROM stock WHERE stock.id BETWEEN item.id * 256 AND item.id * 256 + 255);

-- name: newest_proposals
-- Such statements, newest first.
SELECT id, at, body FROM proposal ORDER BY id DESC LIMIT ?;

-- name: tally
-- How receipts ended.
SELECT system, topic, outcome, n FROM tally ORDER BY system, topic, outcome;

-- name: compare_orders
-- For verify.
SELECT id, status, open, at, heard, subject, body FROM orders ORDER BY id;

-- name: compare_reservation
-- For verify.
SELECT id, status, expires, body FROM reservation ORDER BY id;

-- name: compare_item
-- For verify.
SELECT id, sku, body FROM item ORDER BY id;

-- name: compare_stock
-- For verify.
SELECT id, on_hand, allocated, reserved, in_transit, damaged, safety, deficit, unbooked, counted_at, stated, recent FROM stock ORDER BY id;

-- name: compare_xref
-- For verify: cross-references are one set, merged or not.
SELECT space, ext, min(entity) FROM (SELECT space, ext, entity FROM xref UNION ALL SELECT space, ext, entity FROM xref_new) AS known
GROUP BY space, ext ORDER BY space, ext;

-- name: compare_word
-- For verify: names that were only asked for leave no trace in the log, and mean nothing.
SELECT id, text FROM word WHERE text LIKE 'location/%' OR id IN (SELECT space FROM xref UNION SELECT space FROM xref_new) ORDER BY id;

-- name: compare_account
-- For verify.
SELECT id, name, currency, balance FROM account ORDER BY id;

-- name: compare_transfer
-- For verify.
SELECT id, entry, entity, what, debit, credit, amount FROM transfer ORDER BY id;

-- name: compare_intent
-- For verify.
SELECT id, at, system, entity, body FROM intent ORDER BY id;

-- name: compare_timer
-- For verify: timers that have fired are gone on both sides.
SELECT due, kind, entity FROM timer WHERE due > (SELECT coalesce(max(value), 0) FROM counter WHERE name = 'clock')
ORDER BY due, kind, entity;

-- name: compare_backlog
-- For verify.
SELECT item, entity FROM backlog ORDER BY item, entity;

-- name: compare_early
-- For verify.
SELECT n, space, ext, due, body FROM early ORDER BY n;

-- name: compare_letter
-- For verify.
SELECT id, at, status, code, owner, about, body FROM letter ORDER BY id;

-- name: one_shape
-- What the documents of a system and topic look like.
SELECT body FROM shape WHERE system = ? AND topic = ?;

-- name: save_shape
-- A shape as it is known now.
INSERT INTO shape (system, topic, body) VALUES (?, ?, ?) ON CONFLICT (system, topic) DO UPDATE SET body = excluded.body;

-- name: drifts
-- Changes of shape, newest first.
SELECT id, status, body FROM drift ORDER BY id DESC;

-- name: save_drift
-- A change of shape as it now stands.
INSERT INTO drift (id, status, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body;

-- name: count_drifts
-- Changes of shape that nobody has accepted.
SELECT count(*) FROM drift WHERE status = 'open';

-- name: compare_job
-- For verify.
SELECT id, status, body FROM job ORDER BY id;

-- name: compare_pause
-- For verify.
SELECT target, mode, at, body FROM pause ORDER BY target;

-- name: compare_proposal
-- For verify.
SELECT id, at, body FROM proposal ORDER BY id;

-- name: compare_counter
-- For verify: the last numbers given out, as far as the log shows them.
SELECT name, value FROM counter WHERE name IN ('early', 'entity', 'erased', 'event', 'intent', 'location', 'settings', 'transfer')
ORDER BY name;

-- name: positions_off
-- Receipts up to the positions in both inboxes, and how many have ended, where it is not the same. Those of outcomes.db count from 2^40.
SELECT taken.n, ended.n FROM (
  SELECT coalesce(sum(CASE WHEN name = 'position/outcomes' THEN value - 1099511627776 ELSE value END), 0) AS n
  FROM counter WHERE name IN ('position/inbox', 'position/outcomes')) AS taken,
(SELECT coalesce(sum(n), 0) AS n FROM tally) AS ended WHERE taken.n <> ended.n;

-- name: numbers_off
-- Counters that are not the number of the last row that they gave one to, where any such row is still kept. Of handled batches the last
-- may be archived before an older one of the other inbox.
SELECT counter.name, counter.value, kept.last FROM counter JOIN (
  SELECT 'handled' AS name, max(seq) AS last FROM handled UNION ALL SELECT 'level_change', max(seq) FROM level_change
  UNION ALL SELECT 'price_change', max(seq) FROM price_change) AS kept ON kept.name = counter.name
  WHERE counter.value < kept.last OR (counter.value > kept.last AND counter.name <> 'handled');

-- name: accounts_off
-- Accounts whose balance is not the sum of their transfers: a changed byte of money is never only compared with itself.
SELECT account.id, account.balance, coalesce(moved.net, 0) FROM account LEFT JOIN
(SELECT id, sum(amount) AS net FROM (SELECT debit AS id, amount FROM transfer UNION ALL SELECT credit, -amount FROM transfer) AS part
 GROUP BY id) AS moved ON moved.id = account.id WHERE account.balance <> coalesce(moved.net, 0);

-- name: currencies_off
-- Currencies whose balances do not sum to zero.
SELECT currency, sum(balance) FROM account GROUP BY currency HAVING sum(balance) <> 0;
