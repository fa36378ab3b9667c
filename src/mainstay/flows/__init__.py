"""What happens, in order: intake, fulfil, propagate. Sequences of calls to the rooms below, no decisions of its own."""

FACE = (
    "apply.Apply",
    "clerk.Clerk", "clerk.JobRequest", "clerk.LetterRequest", "clerk.RepairRequest",
    "ask.AskedLine", "ask.Desk", "ask.OrderAnswer", "ask.OrderRequest", "ask.ReservationAnswer", "ask.ReserveRequest",
    "exposure.Exposure", "exposure.told_of",
    "heap.look_seldom",
    "intake.Intake",
    "journey.find", "journey.item_of", "journey.letter", "journey.letters", "journey.open_letters", "journey.order", "journey.proposals",
    "journey.pauses", "journey.raw_message", "journey.status", "journey.stock", "journey.trace",
    "operate.EraseRequest", "operate.Operators", "operate.PauseRequest",
    "propagate.Propagate", "propagate.shelves_of",
    "queue.Wanted", "queue.causes", "queue.job", "queue.jobs", "queue.one", "queue.wanted",
    "rebuild.CONSERVED", "rebuild.COUNTED", "rebuild.compare", "rebuild.verify",
    "clerk.ReplayOrder", "replay.RECEIPTS_MAX", "replay.ReplayRequest", "replay.Span", "replay.replay",
    "rehearse.consequences", "rehearse.edited", "rehearse.repair",
    "shop.Shop",
    "tell.FILED", "tell.STATEMENTS_MAX", "tell.Tell", "tell.TellAnswer", "tell.TellRequest", "tell.refuse_unfit", "tell.statements_of",
    "tell.told",
    "turns.Turns",
    "waiting.Waiting",
    "world.World", "world.order_of",
)  # fmt: skip
