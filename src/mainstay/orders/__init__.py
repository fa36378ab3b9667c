"""What has been promised to a buyer, and what remains to be done."""

FACE = (
    "again.stands",
    "decide.begin", "decide.newer", "decide.settle",
    "fold.fold",
    "history.ended",
    "moves.BEFORE_RELEASE", "moves.MOVES", "moves.OPEN", "moves.diagram",
    "parts.merged",
    "payments.amount_again", "payments.captured", "payments.is_paid", "payments.owed",
    "policy.Policy",
    "releases.asked_back", "releases.call_off", "releases.following", "releases.is_awaited", "releases.releasable",
    "units.wants",
    "view.blocker", "view.command", "view.located", "view.missing",
)  # fmt: skip
