"""What happens, in order: intake, fulfil, propagate. Sequences of calls to the rooms below, no decisions of its own."""

FACE = (
    "apply.Apply",
    "ask.AskedLine", "ask.Desk", "ask.OrderAnswer", "ask.OrderRequest", "ask.ReservationAnswer", "ask.ReserveRequest",
    "exposure.Exposure", "exposure.told_of",
    "heap.look_seldom",
    "intake.Intake",
    "journey.find", "journey.item_of", "journey.letter", "journey.letters", "journey.open_letters", "journey.order", "journey.proposals",
    "journey.status", "journey.stock", "journey.trace",
    "operate.EraseRequest", "operate.LetterRequest", "operate.Operators",
    "propagate.Propagate", "propagate.shelves_of",
    "rebuild.CONSERVED", "rebuild.COUNTED", "rebuild.compare", "rebuild.verify",
    "shop.Shop",
    "tell.FILED", "tell.STATEMENTS_MAX", "tell.Tell", "tell.TellAnswer", "tell.TellRequest", "tell.refuse_unfit", "tell.statements_of",
    "tell.told",
    "turns.Turns",
    "waiting.Waiting",
    "world.World", "world.order_of",
)  # fmt: skip
