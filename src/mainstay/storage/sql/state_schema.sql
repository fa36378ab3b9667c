-- state.db: written by the core only. Every statement of a batch is in one transaction with the position it came from.

CREATE TABLE word (  -- names as small numbers: spaces of cross-references, locations, systems
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE counter (  -- last number given out, by what is numbered; and positions in the inboxes
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (  -- the log: one row for each receipt and entity; everything else in this file is a fold over it
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,  -- UTC microseconds at which the receipt came in
    kind   TEXT NOT NULL,     -- whose row it is: order, reservation, item, letter, customer, settings …
    entity INTEGER NOT NULL,
    body   BLOB NOT NULL,     -- JSON list of events, packed where it is long
    head   INTEGER NOT NULL DEFAULT 0  -- checksum of the columns before the body; 0 where an earlier version wrote the row
) STRICT;
CREATE INDEX event_entity ON event (entity);

CREATE TABLE orders (
    id      INTEGER PRIMARY KEY,
    status  TEXT NOT NULL CHECK (status IN (
        'new', 'placed', 'held', 'paid', 'backordered', 'allocated', 'released', 'part_shipped', 'cancelling', 'shipped', 'invoiced',
        'settled', 'cancelled'
    )),
    open    INTEGER NOT NULL CHECK (open IN (0, 1)),
    at      INTEGER NOT NULL,  -- when it last changed
    heard   INTEGER NOT NULL,  -- the row of the log that holds the order as its source last stated it
    subject INTEGER NOT NULL,  -- whose personal data it concerns; 0: nobody's
    body    BLOB NOT NULL      -- JSON of model.state.OrderState, without what was heard; packed
) STRICT;

CREATE TABLE reservation (
    id      INTEGER PRIMARY KEY,
    status  TEXT NOT NULL CHECK (status IN ('reserved', 'consumed', 'released', 'expired', 'refused')),
    expires INTEGER NOT NULL,
    body    BLOB NOT NULL
) STRICT;

CREATE TABLE item (
    id   INTEGER PRIMARY KEY,
    sku  TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE stock (  -- one row for each item and location; the guard against overselling stands here, not only in code
    id         INTEGER PRIMARY KEY,  -- item * 256 + location
    on_hand    INTEGER NOT NULL CHECK (on_hand >= 0),
    allocated  INTEGER NOT NULL CHECK (allocated >= 0),
    reserved   INTEGER NOT NULL CHECK (reserved >= 0),
    in_transit INTEGER NOT NULL CHECK (in_transit >= 0),
    damaged    INTEGER NOT NULL CHECK (damaged >= 0),
    safety     INTEGER NOT NULL CHECK (safety >= 0),
    deficit    INTEGER NOT NULL CHECK (deficit >= 0),  -- promised, then counted away; or gone before it came: named, never hidden
    unbooked   INTEGER NOT NULL CHECK (unbooked >= 0),
    counted_at INTEGER NOT NULL,
    stated     BLOB NOT NULL,  -- JSON: when in_transit, damaged and safety were last stated
    recent     BLOB NOT NULL,
    CHECK (allocated + reserved <= on_hand + deficit)
) STRICT;

CREATE TABLE xref (  -- (space, their id) -> our entity; a space is "system/kind"
    space  INTEGER NOT NULL,
    ext    ANY NOT NULL,  -- an integer where the vendor's id is one
    entity INTEGER NOT NULL,
    PRIMARY KEY (space, ext)
) STRICT, WITHOUT ROWID;

CREATE TABLE xref_new (  -- the newest cross-references, in the order of their arrival; merged sorted into xref behind
    n      INTEGER PRIMARY KEY,
    space  INTEGER NOT NULL,
    ext    ANY NOT NULL,
    entity INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    currency TEXT NOT NULL,
    balance  INTEGER NOT NULL,  -- minor units, debit minus credit
    UNIQUE (name, currency)
) STRICT;

CREATE TABLE transfer (  -- the ledger: moves an amount between two accounts, so that it balances by construction
    id     INTEGER PRIMARY KEY,
    entry  INTEGER NOT NULL,  -- transfers of one posting share the entry: the event's number
    entity INTEGER NOT NULL,
    what   TEXT NOT NULL,
    debit  INTEGER NOT NULL,
    credit INTEGER NOT NULL CHECK (credit <> debit),
    amount INTEGER NOT NULL CHECK (amount > 0)
) STRICT;
CREATE TRIGGER transfer_in_one_currency BEFORE INSERT ON transfer  -- which is its accounts': both are there, and of the same
WHEN NOT EXISTS (
    SELECT 1 FROM account AS debit JOIN account AS credit ON credit.currency = debit.currency WHERE debit.id = NEW.debit AND credit.id = NEW.credit
)
BEGIN SELECT RAISE(ABORT, 'a transfer moves between two accounts of one currency'); END;
CREATE TRIGGER transfer_is_final BEFORE UPDATE ON transfer BEGIN SELECT RAISE(ABORT, 'a posted transfer is never changed'); END;
CREATE TRIGGER transfer_stays BEFORE DELETE ON transfer BEGIN SELECT RAISE(ABORT, 'a posted transfer is never deleted'); END;

CREATE TABLE intent (  -- the outbox: what is to be made true elsewhere; how it fares stands in outcomes.db
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    system TEXT NOT NULL,
    entity INTEGER NOT NULL,  -- the lane: intents of one entity keep their order
    body   BLOB NOT NULL      -- JSON of a command, packed where it is long
) STRICT;

CREATE TABLE timer (
    due    INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    entity INTEGER NOT NULL,
    PRIMARY KEY (due, kind, entity)
) STRICT, WITHOUT ROWID;

CREATE TABLE backlog (  -- orders that wait for units of an item, oldest first
    item   INTEGER NOT NULL,
    entity INTEGER NOT NULL,
    PRIMARY KEY (item, entity)
) STRICT, WITHOUT ROWID;

CREATE TABLE early (  -- statements about what has not arrived yet
    n     INTEGER PRIMARY KEY,
    space INTEGER NOT NULL,
    ext   ANY NOT NULL,
    due   INTEGER NOT NULL,
    body  BLOB NOT NULL
) STRICT;
CREATE INDEX early_of ON early (space, ext);

CREATE TABLE letter (  -- dead letters: what could not be handled, why, whose it is
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'retried', 'suppressed', 'resolved')),
    code   TEXT NOT NULL,
    owner  TEXT NOT NULL,
    about  INTEGER NOT NULL,  -- the entity, 0 where it is not known
    body   BLOB NOT NULL
) STRICT;
CREATE INDEX letter_open ON letter (status, id) WHERE status = 'open';

CREATE TABLE job (  -- the same act for many dead letters: how far it has come
    id     INTEGER PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('running', 'done', 'cancelled')),
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE shape (  -- what the documents of a system and topic look like: names and types, no values
    system TEXT NOT NULL,
    topic  TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (system, topic)
) STRICT, WITHOUT ROWID;

CREATE TABLE drift (  -- where documents came to look otherwise than they did
    id     INTEGER PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('open', 'accepted')),
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE pause (  -- what people hold back; what goes on again keeps its row
    target TEXT PRIMARY KEY,
    mode   TEXT NOT NULL CHECK (mode IN ('paused', 'draining', 'running')),
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE proposal (  -- what a system said of what another owns
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE vault (  -- personal data: here, and nowhere else in this file
    subject INTEGER NOT NULL,
    brought INTEGER NOT NULL,  -- the order that brought it, whose address it is; 0: the customer's own record
    body    BLOB NOT NULL,     -- empty: erased, and stays so
    PRIMARY KEY (subject, brought)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER erased_stays BEFORE INSERT ON vault
WHEN length(NEW.body) > 0 AND EXISTS (SELECT 1 FROM vault WHERE subject = NEW.subject AND length(body) = 0)
BEGIN SELECT RAISE(IGNORE); END;

CREATE TABLE answer (  -- what the callers that waited for a batch are told
    receipt INTEGER PRIMARY KEY,  -- the last one that it answers
    body    BLOB NOT NULL         -- JSON list of [receipt, status, answer], packed
) STRICT;

CREATE TABLE level_change (  -- which items changed in which batch: channels read it as a cursor over stock, the newest level wins
    seq   INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    items BLOB NOT NULL
) STRICT;

CREATE TABLE price_change (  -- which items got another price in which batch; read as level_change is
    seq   INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    items BLOB NOT NULL
) STRICT;

CREATE TABLE handled (  -- whose receipts a batch held: the archive seals each under a key that erasing the subject destroys
    seq      INTEGER PRIMARY KEY,
    source   TEXT NOT NULL,
    subjects BLOB NOT NULL
) STRICT;

CREATE TABLE tally (  -- conservation: every receipt ends as exactly one of these
    system  TEXT NOT NULL,
    topic   TEXT NOT NULL,
    outcome TEXT NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (system, topic, outcome)
) STRICT, WITHOUT ROWID;
