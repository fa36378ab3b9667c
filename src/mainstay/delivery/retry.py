"""When to try again: decisions as values, from how often it failed and by what. Counts are rows, so they survive a restart."""

from __future__ import annotations

from typing import Protocol

from mainstay.model.times import DAY, HOUR, SECOND

BACKOFF_S_MIN, BACKOFF_S_MAX = 0.2, 300.0
PAUSE_US_MAX = int(1.1 * DAY)  # what the other side asks for is at most a day (`retry_after_s`), and the jitter
TRIES_MAX = 400  # with the longest pause this is more than a day
AGE_US_MIN, AGE_US_MAX = 8 * HOUR, DAY  # an outage of a night mends itself; then a person decides, as soon as the business needs it
BREAKER_FAILURES = 8  # in a row, over all lanes of a system
BREAKER_S_MIN, BREAKER_S_MAX = 0.5, 30.0


class Dice(Protocol):
    """Chance, handed in: random.Random fits."""

    def random(self) -> float: ...


def age_us_max(within_s: float | None) -> int:
    """For how long an effect is tried that the business needs within so many seconds, in microseconds; None: nobody says."""
    return AGE_US_MAX if within_s is None else min(AGE_US_MAX, max(AGE_US_MIN, int(within_s * SECOND)))


def backoff_us(tries: int, dice: Dice, after_s: float | None = None) -> int:
    """Pause before the next try, in microseconds: exponential, jittered, never before what the other side asked for."""
    ceiling = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(tries, 20))
    pause = ceiling * (0.5 + dice.random() / 2)
    return int(max(pause, (after_s or 0.0) * (1 + dice.random() / 10)) * SECOND)


class Breaker:
    """Opens after failures in a row, lets one probe through after a pause, closes on success."""

    def __init__(self) -> None:
        self.failures = 0
        self.opened = 0
        self.until = 0
        self.since = 0  # when the first of the failures in a row was
        self.halted = False  # credentials or permissions: a person is needed
        self.reason = ""

    def failed(self, now: int, why: str) -> None:
        self.since = self.since if self.failures else now
        self.failures += 1
        self.reason = why
        if self.failures >= BREAKER_FAILURES:
            pause = min(BREAKER_S_MAX, BREAKER_S_MIN * 2 ** min(self.opened, 10))
            self.opened += 1
            self.until = now + int(pause * SECOND)

    def halt(self, now: int, why: str) -> None:
        """Credentials do not work: pause as long as the breaker ever does, then probe."""
        self.since = self.since if self.failures else now
        self.failures, self.halted = max(self.failures, BREAKER_FAILURES), True
        self.reason = why
        self.until = now + int(BREAKER_S_MAX * SECOND)

    def succeeded(self) -> None:
        self.failures = self.opened = self.until = self.since = 0
        self.halted, self.reason = False, ""

    def pause(self, now: int) -> int:
        """Microseconds until a call is worth trying."""
        return max(0, self.until - now) if self.failures >= BREAKER_FAILURES else 0

    def wait(self, now: int) -> int:
        """Microseconds until a call may pass; at the end of a pause one probe goes and the others keep waiting."""
        if self.failures < BREAKER_FAILURES:
            return 0
        if pause := self.pause(now):
            return pause
        self.until = now + int(BREAKER_S_MAX * SECOND)
        return 0
