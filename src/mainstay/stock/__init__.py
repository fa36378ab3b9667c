"""What we have, what is spoken for, and what may still be sold."""

FACE = (
    "buffer.Kept", "buffer.Selling", "buffer.kept_back", "buffer.needed", "buffer.rate_per_s", "buffer.selling_at", "buffer.sold",
    "decide.Shelves", "decide.Wants", "decide.allocate", "decide.found", "decide.reserve",
    "fold.PARTS", "fold.booked", "fold.corrected", "fold.counted", "fold.doubted", "fold.fold", "fold.free", "fold.freed_or_taken",
    "fold.late", "fold.level_id", "fold.moved", "fold.stale",
    "view.ChannelPolicy", "view.explained", "view.listed", "view.serving", "view.unknown",
)  # fmt: skip
