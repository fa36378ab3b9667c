"""The hands: HTTP, files, lanes, rate budgets, retries, look-ups, polls and stock levels. Decides nothing about the business."""

FACE = (
    "changes.Changes",
    "connection.Lost", "connection.Unsent",
    "dispatch.ClockJumped", "dispatch.Dispatch", "dispatch.Plan", "dispatch.Webhooks", "dispatch.percentiles",
    "files.Form", "files.Inflow", "files.REFUSED", "files.ReadLine",
    "hooks.Hooks",
    "http.Http",
    "lanes.Lanes",
    "lateness.Promise",
    "levels.Levels",
    "outcomes.Outcomes",
    "polls.Pace", "polls.Poll",
    "post.Hook", "post.Mail", "post.Message", "post.Post", "post.Way", "post.send", "post.told",
)  # fmt: skip
