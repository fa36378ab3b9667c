"""Keeps what we know: inbox, event log, state, cross-references, outbox. One writer for each file."""

FACE = (
    "archive.Archive", "archive.raw_of", "archive.unclaimed", "archive.wrong_with_archive",
    "backup.restore", "backup.take",
    "bell.Bell", "bell.POLL_S", "bell.Ringer",
    "database.DAMAGED", "database.Lock", "database.NO_MEMORY", "database.Older", "database.RESTORE", "database.SQL", "database.SQLITE_MIN",
    "database.STORE_FAILED", "database.ask", "database.check_pages", "database.connect", "database.damage", "database.force",
    "database.in_words", "database.rows", "database.scrub", "database.wrong_with",
    "failing.Failing",
    "inbox.Inbox", "inbox.InboxReader", "inbox.New", "inbox.OUTCOMES_FROM", "inbox.Receipt", "inbox.UNCLAIMED",
    "packing.Damaged", "packing.damaged", "packing.head_of", "packing.pack", "packing.unpack",
    "receipts.between", "rehearsed.Rehearsed",
    "state.Batch", "state.Key", "state.State", "together.FILES",
    "together.refuse_apart",
)  # fmt: skip
