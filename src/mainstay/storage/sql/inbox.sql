-- name: add_receipt
-- What came in, byte for byte.
INSERT INTO receipt (seq, at, system, topic, key, body) VALUES (?, ?, ?, ?, ?, ?);

-- name: last_receipt
-- The number that was given out last, as far as it is not archived.
SELECT max(seq) FROM receipt;

-- name: last_seal
-- The number of the last archived receipt.
SELECT max(seq) FROM seal;

-- name: receipts_from
-- Receipts after a number, in order.
SELECT seq, at, system, topic, key, body FROM receipt WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: heads_from
-- When receipts after a number came in, and of what they are, in order, without their bytes.
SELECT seq, at, system, topic FROM receipt WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: one_receipt
-- A receipt by number.
SELECT seq, at, system, topic, key, body FROM receipt WHERE seq = ?;

-- name: load_receipts
-- Receipts by number.
SELECT seq, at, system, topic, key, body FROM receipt WHERE seq IN (SELECT value FROM numbers(?)) ORDER BY seq;

-- name: receipts_behind
-- How many receipts come after a number.
SELECT count(*) FROM receipt WHERE seq > ?;

-- name: drop_receipts
-- Receipts that are archived.
DELETE FROM receipt WHERE seq IN (SELECT value FROM numbers(?));

-- name: mark
-- A remembered value.
SELECT value FROM mark WHERE name = ?;

-- name: marks
-- Remembered values whose names begin so.
SELECT name, value FROM mark WHERE name >= ? AND name < ? || '~';

-- name: set_mark
-- Remember a value, such as a feed's cursor.
INSERT INTO mark (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: drop_marks
-- Forget the values whose names begin so.
DELETE FROM mark WHERE name >= ? AND name < ? || '~';

-- name: set_seal
-- Where an archived receipt lies, and its key.
INSERT INTO seal (seq, subject, place, length, segment, key) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (seq) DO UPDATE SET subject = excluded.subject, place = excluded.place, length = excluded.length, segment = excluded.segment,
  key = excluded.key;

-- name: claim_seal
-- Whose an archived receipt turned out to be.
UPDATE seal SET subject = ? WHERE seq = ? AND subject <= 0;

-- name: claim_and_break_seal
-- The same, of somebody who has been erased.
UPDATE seal SET subject = ?, key = ? WHERE seq = ? AND subject <= 0;

-- name: break_seals
-- Blank the keys of all receipts of a subject; their numbers stay given out.
UPDATE seal SET key = ? WHERE subject = ?;

-- name: one_seal
-- Where an archived receipt lies, and its key.
SELECT place, length, segment, key FROM seal WHERE seq = ?;

-- name: seals_from
-- Where archived receipts lie, and their keys, after a number, in order.
SELECT seq, place, length, segment, key FROM seal WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: seals_of
-- Archived receipts of a subject that can still be read.
SELECT seq FROM seal WHERE subject = ? AND length(key) > 0;

-- name: attempts
-- How each intent fares.
SELECT intent, status, tries, next_at, code, why FROM attempt;

-- name: attempts_under_way
-- How those intents fare that have not ended.
SELECT intent, status, tries, next_at, code, why FROM attempt WHERE status NOT IN ('done', 'rejected');

-- name: last_attempt
-- The last intent that fares somehow.
SELECT max(intent) FROM attempt;

-- name: save_attempt
-- How an intent fares now.
INSERT INTO attempt (intent, status, tries, next_at, code, why) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (intent) DO UPDATE SET status = excluded.status, tries = excluded.tries, next_at = excluded.next_at, code = excluded.code,
  why = excluded.why;

-- name: drop_attempts
-- Intents that have all ended.
DELETE FROM attempt WHERE intent <= ?;

-- name: save_listing
-- What a channel confirmed of an item.
INSERT INTO listing (channel, item, told, at) VALUES (?, ?, ?, ?)
ON CONFLICT (channel, item) DO UPDATE SET told = excluded.told, at = excluded.at;

-- name: listings_of
-- What each channel was last told of an item.
SELECT channel, told FROM listing WHERE item = ?;

-- name: alerts
-- The causes of alarm that are kept.
SELECT cause, body FROM alert ORDER BY cause;

-- name: save_alert
-- A cause of alarm, and what was told of it.
INSERT INTO alert (cause, body) VALUES (?, ?) ON CONFLICT (cause) DO UPDATE SET body = excluded.body;

-- name: drop_alert
-- A cause that is over.
DELETE FROM alert WHERE cause = ?;

-- name: save_message
-- What an owner is told, and how far it came.
INSERT INTO message (id, at, status, body) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body;

-- name: messages_waiting
-- What is still to be sent, the oldest first.
SELECT body FROM message WHERE status = 'waiting' ORDER BY at, id LIMIT ?;

-- name: newest_messages
-- What owners were told, newest first.
SELECT body FROM message ORDER BY at DESC, id LIMIT ?;

-- name: drop_messages
-- What was told long ago.
DELETE FROM message WHERE at < ? AND status <> 'waiting';
