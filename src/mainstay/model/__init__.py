"""The vocabulary that every system and room agrees on: money, identity, nouns, events, commands and failures."""

FACE = (
    "cards", "commands", "events", "failures", "identity", "money", "objects", "outcome", "restored", "secrets", "seen", "shape", "state",
    "times", "timetable",
)  # fmt: skip
