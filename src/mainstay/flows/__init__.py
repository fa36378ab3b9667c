"""What happens, in order: intake, fulfil, propagate. Sequences of calls to the rooms below, no decisions of its own."""
