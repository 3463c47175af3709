"""
The rate at which a sender sends, found from what AWS throttles.

Requests are paced by a rate. Those of a short time form a window, which is evaluated when all its answers are in:

- Nothing was throttled: the rate rises. It doubles until AWS throttles for the first time. Then it rises by 20
  events/s, the same for all senders, so that senders that share a quota come to equal shares; and faster where the
  rate is far from the one that was throttled last.
- Something was throttled: the rate becomes 95 % of what was accepted, so that a quota that only this sender uses
  throttles nothing in the next window.
- The same share is throttled although the rate was cut twice: a window at a third of the rate shows whether the share
  depends on this sender at all. If not, the share is tolerated, and the rate goes back up: another sender uses up the
  quota, and slowing down would only leave it more. Every 10 seconds this is tested again.
- Much less is accepted after the rate went back up: the others do the same, as they are senders like this one. A high
  share is not tolerated then, and the rate may become lower, until two minutes after the last slight throttling.

tests/send/test_rate_controller.py simulates it. Bearing a share that others cause, and sharing a quota fairly, pull
against each other: about one run in twenty-five of four senders is unfair for longer than 20 seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean

# All rates are in events per second.
INITIAL_RATE = 1_000.0
# However much is throttled, a sender does not go below this while anything is accepted.
MIN_RATE = 100.0
# Except while many senders share the quota: AWS's smallest is 400.
SHARED_MIN_RATE = 20.0
# While nothing at all is accepted; enough to notice that something is accepted again.
IDLE_RATE = 10.0
RATE_STEP = 20.0  # The largest step, to the rate.
MAX_GROWTH = 0.25

# Time that a late sender may make up for, in seconds, so that timers cost no throughput.
BURST_SECONDS = 0.02

WINDOW_SECONDS = 0.2
# A window with fewer events shows too little, and is longer, up to a maximum.
WINDOW_EVENTS = 100
MAX_WINDOW_SECONDS = 1.0
# While the rate doubles, a window is short; if little was throttled, it is longer, to measure the quota.
DOUBLING_WINDOW_SECONDS = 0.05
MANY_THROTTLED = 50
# How long the last answers of a window are waited for, in seconds.
MAX_ANSWER_SECONDS = 2.0
# A window that used less of the rate, as the source or the CPU is slow, does not show that more would be accepted.
USED_SHARE = 0.7

# A throttled share that is not worth slowing down for.
HARMLESS_SHARE = 0.01
# The rate after the first, and the second, of several windows with the same share, to what was accepted.
CUTS = (0.95, 0.9)
# A share at or above this, to the share before the cut, does not show that the cut helped; below the other, it does.
UNCHANGED, CHANGED = 0.6, 0.3
# The rate is near what was throttled last within these, to what was accepted then.
NEAR = (0.7, 1.3)

PROBE_RATE = 1 / 3
PROBE_EVENTS = 300
SECONDS_BETWEEN_PROBES = 10.0
# A tolerated share is measured with so many windows of the present size.
MEMORY = 4
# If the accepted share falls below this fraction of what it was when the rate went back up, there are many senders.
FALLEN = 0.6
# Entries to see that with.
FALLEN_ENTRIES = 200
# A throttled share above this is not tolerated then, as entries would use up their attempts. Senders that have found
# their rates cause one another less.
MAX_SHARED = 0.6
SHARED_SECONDS = 120.0


@dataclass(slots=True)
class _Window:
    """The requests of a short time, evaluated together."""

    first: int
    began_at: float
    last: int = 0
    seconds: float = 0.0
    unanswered: int = 0
    events: int = 0
    accepted: int = 0
    throttled: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether no further request is added."""
        return self.last > 0

    @property
    def answered(self) -> int:
        """How many entries were accepted or throttled."""
        return self.accepted + self.throttled

    @property
    def share(self) -> float:
        """The share of entries that was throttled."""
        return self.throttled / max(1, self.answered)

    def deviation(self, share: float, entries: float = inf) -> float:
        """
        Return how far two shares differ by chance: two standard deviations.

        :param share: the true share.
        :param entries: how many entries the other was measured with; infinite if it is the true share.
        """
        return 2 * sqrt(share * (1 - share) * (1 / max(1, self.answered) + 1 / max(1, entries)))

    def covers(self, number: int) -> bool:
        """Return whether a request belongs to the window."""
        return number >= self.first and (not self.is_closed or number <= self.last)


class RateController:
    """
    Decides when the next request may be sent. Every request has a number, in the order of sending.

    :param max_events_per_second: the maximum rate; None for as fast as AWS accepts.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(self, max_events_per_second: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_rate = max_events_per_second or inf
        self._clock = clock
        #: The rate, in events per second.
        self.rate = min(INITIAL_RATE, self._max_rate)
        self._next_at = clock()
        self._number = 0
        self._window: _Window | None = None
        self._doubling = True
        self._step = RATE_STEP
        #: what was accepted when AWS throttled last
        self._capacity = 0.0
        #: the share that is throttled whatever the rate
        self._tolerated = 0.0
        #: how many entries that share was measured with
        self._tolerated_entries = 0
        #: that share when it was tolerated first
        self._tolerated_at_first = 0.0
        self._shared_until = -inf
        #: of windows since a cut that did not help
        self._shares: list[float] = []
        self._rate_before_cuts = 0.0
        self._probed_share: float | None = None
        self._rate_before_probe = 0.0
        self._probe_at = 0.0

    def seconds_until_free(self) -> float:
        """Return how long to hold the next request back, in seconds; 0 if it may be sent."""
        return max(0.0, self._next_at - self._clock())

    def on_send(self, events: int) -> int:
        """
        Register a request.

        :param events: how many events it carries.
        :return: its number.
        """
        now = self._clock()
        self._next_at = max(self._next_at, now - BURST_SECONDS) + events / self.rate
        self._close_window_if_full(now)
        self._number += 1
        if self._window is None:
            self._window = _Window(self._number, now)
        if not self._window.is_closed:
            self._window.unanswered += 1
            self._window.events += events
        return self._number

    def on_answer(self, number: int, accepted: int, throttled: int) -> None:
        """
        Record the answer to a request.

        :param number: the request's number.
        :param accepted: how many of its entries AWS accepted, or did not accept for another reason than the rate; 0 if
            the request failed.
        :param throttled: how many of its entries AWS throttled.
        """
        window = self._window
        if window is None or not window.covers(number):
            return
        window.unanswered -= 1
        window.accepted += accepted
        window.throttled += throttled
        if window.is_closed and not window.unanswered:
            self._evaluate(window)

    def _close_window_if_full(self, now: float) -> None:
        window = self._window
        if window is None:
            return
        if not window.is_closed and self._is_full(window, now - window.began_at):
            window.last = self._number
            window.seconds = now - window.began_at
        late = window.is_closed and now - window.began_at - window.seconds > MAX_ANSWER_SECONDS
        if window.is_closed and (late or not window.unanswered):
            self._evaluate(window)

    def _is_full(self, window: _Window, elapsed: float) -> bool:
        if self._doubling and not self._tolerated and not 0 < window.throttled <= MANY_THROTTLED:
            return elapsed >= DOUBLING_WINDOW_SECONDS
        events = WINDOW_EVENTS if self._probed_share is None else PROBE_EVENTS
        return elapsed >= MAX_WINDOW_SECONDS or (elapsed >= WINDOW_SECONDS and window.events >= events)

    def _evaluate(self, window: _Window) -> None:
        """Set the rate by what was throttled. The next window begins with the next request, at the new rate."""
        self._window = None
        if not window.answered:
            return
        if not window.accepted:
            self._wait_for_quota()
        elif self.rate < min(self._min_rate, self._max_rate):
            self._doubling = not self._is_shared
            self._set_rate(self._min_rate if self._is_shared else INITIAL_RATE)
        elif self._probed_share is not None:
            self._conclude_probe(window, self._probed_share)
        elif self._is_too_fast(window):
            self._slow_down(window)
        else:
            self._speed_up(window)

    @property
    def _is_shared(self) -> bool:
        """Whether many senders share the quota, as far as it showed lately."""
        return self._clock() < self._shared_until

    @property
    def _min_rate(self) -> float:
        return SHARED_MIN_RATE if self._is_shared else MIN_RATE

    def _is_too_fast(self, window: _Window) -> bool:
        unchanged = bool(self._shares) and window.share >= UNCHANGED * self._shares[-1]
        return unchanged or window.share > self._tolerated + HARMLESS_SHARE + window.deviation(
            self._tolerated, self._tolerated_entries
        )

    def _speed_up(self, window: _Window) -> None:
        if self._shares and window.share < CHANGED * self._shares[-1]:
            self._shares.clear()
        if self._tolerated:
            self._track(window)
        if self._tolerated and self._clock() >= self._probe_at:
            self._rate_before_cuts = self.rate
            self._probe(self._tolerated)
        elif window.events >= USED_SHARE * self.rate * window.seconds:
            self._set_rate(2 * self.rate if self._doubling else self.rate + self._next_step())

    def _track(self, window: _Window) -> None:
        """Measure the tolerated share more exactly, and follow its changes."""
        before = min(self._tolerated_entries, MEMORY * window.answered)
        self._tolerated_entries = before + window.answered
        self._tolerated += (window.share - self._tolerated) * window.answered / self._tolerated_entries
        if self._tolerated_entries >= FALLEN_ENTRIES:
            self._check_fallen(self._tolerated)

    def _check_fallen(self, share: float) -> None:
        """Tolerate no more if much less is accepted than when the rate went back up."""
        if self._tolerated > MAX_SHARED and 1 - share < FALLEN * (1 - self._tolerated_at_first):
            self._tolerated = 0.0
            self._shared_until = self._clock() + SHARED_SECONDS

    def _next_step(self) -> float:
        near = NEAR[0] * self._capacity <= self.rate <= NEAR[1] * self._capacity
        self._step = RATE_STEP if near else max(RATE_STEP, min(2 * self._step, MAX_GROWTH * self.rate))
        return self._step

    def _slow_down(self, window: _Window) -> None:
        self._check_fallen(window.share - window.deviation(window.share))
        if self._is_shared and window.share < MAX_SHARED:
            self._shared_until = self._clock() + SHARED_SECONDS
        self._doubling = False
        self._step = RATE_STEP
        if not self._has_share_of_before(window):
            self._shares.clear()
            self._rate_before_cuts = self.rate
        self._shares.append(window.share)
        if len(self._shares) > len(CUTS):
            self._probe(fmean(self._shares))
        else:
            accepted = window.accepted / window.seconds / (1 - self._tolerated)
            if len(self._shares) == 1:
                self._capacity = accepted
            self._set_rate(max(self._min_rate, CUTS[len(self._shares) - 1] * accepted))

    def _wait_for_quota(self) -> None:
        """Send less and less while nothing is accepted."""
        self._shares.clear()
        self._probed_share = None
        self._tolerated = 0.0
        self._set_rate(max(IDLE_RATE, self.rate / 2))

    def _has_share_of_before(self, window: _Window) -> bool:
        if not self._shares or not window.throttled:
            return False
        share = fmean(self._shares)
        return abs(window.share - share) <= max((1 - UNCHANGED) * share, window.deviation(share))

    def _probe(self, share: float) -> None:
        """Send one window at a low rate, to see whether a share depends on the rate."""
        self._probed_share = share
        self._rate_before_probe = self.rate
        self._set_rate(max(self._min_rate, PROBE_RATE * self.rate))

    def _conclude_probe(self, window: _Window, share: float) -> None:
        self._probed_share = None
        self._shares.clear()
        if self._is_shared and share > MAX_SHARED:
            self._tolerated = 0.0
        elif window.share >= share - window.deviation(share):
            self._tolerated_at_first = min(share, self._tolerated_at_first) if self._tolerated else share
            self._doubling = not self._tolerated
            self._capacity = 0.0
            self._tolerated = share
            self._tolerated_entries = window.answered
            self._probe_at = self._clock() + SECONDS_BETWEEN_PROBES
            self._set_rate(self._rate_before_cuts)
        else:
            self._tolerated = 0.0
            self._set_rate(self._rate_before_probe)

    def _set_rate(self, rate: float) -> None:
        self.rate = min(self._max_rate, rate)
