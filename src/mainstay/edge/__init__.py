"""The doors: webhooks and the API. Authenticate over the raw bytes, bound, record, answer."""

FACE = (
    "alarms.shown",
    "api.Api", "api.Waiters",
    "openapi.CALLERS", "openapi.Endpoint", "openapi.ProblemAnswer",
    "problems.Overloaded", "problems.Problem", "problems.problem",
    "receive.Door", "receive.Receive", "receive.Scope", "receive.Send",
    "record.Recorder",
    "strict.read",
    "whose.with_deadline", "whose.with_owner", "whose.with_people", "whose.with_runbooks",
)  # fmt: skip
