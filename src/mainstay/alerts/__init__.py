"""Who is to hear of what is wrong, and when: once for each cause, again when it matters, and when it is over."""

FACE = (
    "causes.Alarm", "causes.Severity",
    "decide.Kept", "decide.Notice", "decide.Pace", "decide.Terms", "decide.decide",
    "quiet.Quiet",
    "words.body", "words.facts", "words.plain", "words.section", "words.subject",
)  # fmt: skip
