"""What has been promised to a buyer, and what remains to be done."""

FACE = (
    "again.stands",
    "decide.Policy", "decide.amount_again", "decide.begin", "decide.captured", "decide.is_paid", "decide.newer", "decide.owed",
    "decide.settle", "decide.wants",
    "fold.fold",
    "history.ended",
    "moves.BEFORE_RELEASE", "moves.MOVES", "moves.OPEN", "moves.diagram",
    "parts.merged",
    "view.blocker", "view.command", "view.left_from",
)  # fmt: skip
