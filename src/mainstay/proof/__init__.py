"""Shows that it is true: the town of twins, the demo's play and its report, benchmarks, planted bugs."""

FACE = (
    "access.LOCATION", "access.PAYMENTS", "access.keep", "access.settings",
    "bench.run",
    "books.MUST_BE_ZERO", "books.compare",
    "drivers.SUBJECTS", "drivers.subject",
    "history.CURRENCY", "history.Story", "history.tell",
    "plants.PLANTS", "plants.plant", "plants.spoil",
    "pace.reached", "play.Cast", "play.Play",
    "reference.pages",
    "sim.acts.BOTH", "sim.acts.LACKING", "sim.machine.Fittings",
    "sim.run.many", "sim.run.one", "sim.run.report", "sim.run.shrink", "sim.run.silence", "sim.run.swarm", "sim.run.told",
    "sim.wires.url",
    "town.Town", "town.free_port",
    "truth.believed", "truth.is_named", "truth.itemised",
)  # fmt: skip
