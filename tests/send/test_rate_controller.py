"""The rate controller against simulated quotas, on a virtual clock."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import pytest

from airflow_cwevents._send.rate_controller import MIN_RATE, SHARED_MIN_RATE, RateController

ENTRIES = 10
LATENCY = 0.02
# What one sender's CPU allows, in requests per second.
MAX_REQUESTS = 600
SEEDS = range(3)
NEVER: Mapping[float, float] = {}

#: returns how many of the entries of a request are accepted at a time
Quota = Callable[[float, int], int]


class Bucket:
    """A token bucket that holds what comes in a tenth of a second: a token for each entry, or for each request."""

    def __init__(self, rate: float, *, whole_requests: bool = False) -> None:
        self.rate = rate
        self._whole_requests = whole_requests
        self._tokens = rate / 10
        self._filled_at = 0.0

    def __call__(self, now: float, entries: int) -> int:
        self._tokens = min(self.rate / 10, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        accepted = min(1 if self._whole_requests else entries, int(self._tokens))
        self._tokens -= accepted
        return accepted * entries if self._whole_requests else accepted


def random_share(share: float, seed: int) -> Quota:
    rng = random.Random(seed)  # noqa: S311
    return lambda now, entries: sum(rng.random() >= share for _ in range(entries))


@dataclass
class Sender:
    """A sender that always has something to send, and what became of it."""

    controller: RateController
    answers: list[tuple[float, int]] = field(default_factory=list)
    lowest_rate: float = float("inf")
    cpu_free_at: float = 0.0

    def accepted(self, begin: float = 0.0, end: float = float("inf")) -> int:
        return sum(accepted for at, accepted in self.answers if begin <= at < end)

    def throttled_share(self, begin: float = 0.0) -> float:
        requests = [accepted for at, accepted in self.answers if at >= begin]
        return 1 - sum(requests) / (ENTRIES * len(requests))


class Simulation:
    """Senders, a quota, and the time."""

    def __init__(self, quota: Quota, seed: int) -> None:
        self.now = 0.0
        self.senders: list[Sender] = []
        self._quota = quota
        self._rng = random.Random(seed)  # noqa: S311
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []

    def later(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), action))

    def run(self, seconds: float) -> None:
        while self._agenda[0][0] <= seconds:
            self.now, _, action = heapq.heappop(self._agenda)
            action()

    def start(self) -> None:
        self.senders.append(sender := Sender(RateController(clock=lambda: self.now)))
        self._send(sender)

    def _send(self, sender: Sender) -> None:
        sender.lowest_rate = min(sender.lowest_rate, sender.controller.rate)
        wait = max(sender.controller.seconds_until_free(), sender.cpu_free_at - self.now)
        if wait > 0:
            self.later(wait + 0.001 * self._rng.random(), partial(self._send, sender))  # timers are late
            return
        number = sender.controller.on_send(ENTRIES)
        sender.cpu_free_at = max(self.now - 0.005, sender.cpu_free_at) + 1 / MAX_REQUESTS
        self.later(LATENCY / 2 * self._rng.uniform(1, 1.2), partial(self._receive, sender, number))
        self.later(0, partial(self._send, sender))

    def _receive(self, sender: Sender, number: int) -> None:
        accepted = self._quota(self.now, ENTRIES)
        self.later(LATENCY / 2 * self._rng.uniform(1, 1.2), partial(self._answer, sender, number, accepted))

    def _answer(self, sender: Sender, number: int, accepted: int) -> None:
        sender.answers.append((self.now, accepted))
        sender.controller.on_answer(number, accepted, ENTRIES - accepted)


def simulate(
    quota: Quota, seconds: float, seed: int, *, starts: Sequence[float] = (0,), changes: Mapping[float, float] = NEVER
) -> list[Sender]:
    """
    Let senders send.

    :param starts: when each begins.
    :param changes: by time, the new rate of the quota, a bucket.
    """
    simulation = Simulation(quota, seed)
    for at in starts:
        simulation.later(at, simulation.start)
    for at, rate in changes.items():
        simulation.later(at, partial(setattr, quota, "rate", rate))
    simulation.run(seconds)
    return simulation.senders


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", [500, 1_000, 2_000, 5_000])
def test_quota_of_entries_is_used_up(rate: float, seed: int) -> None:
    (sender,) = simulate(Bucket(rate), 10, seed)
    assert sender.accepted() >= 0.95 * rate * 10
    assert sender.throttled_share() <= 0.06


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", [50, 100, 300])
def test_quota_of_requests_is_used_up(rate: float, seed: int) -> None:
    (sender,) = simulate(Bucket(rate, whole_requests=True), 10, seed)
    assert sender.accepted() >= 0.95 * rate * ENTRIES * 10
    assert sender.throttled_share() <= 0.1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.2, 0.3, 0.7, 0.9])
def test_throttling_that_others_cause_costs_little_more_than_its_share(share: float, seed: int) -> None:
    (sender,) = simulate(random_share(share, seed), 20, seed)
    assert sender.accepted() >= 0.5 * (1 - share) * MAX_REQUESTS * ENTRIES * 20
    assert sender.lowest_rate >= MIN_RATE


@pytest.mark.parametrize("seed", SEEDS)
def test_tolerance_ends_when_throttling_depends_on_the_rate(seed: int) -> None:
    others, own = random_share(0.3, seed), Bucket(2_000)
    (sender,) = simulate(lambda now, entries: (others if now < 10 else own)(now, entries), 35, seed)
    assert sender.throttled_share(25) <= 0.06
    assert sender.accepted(25) >= 0.9 * 2_000 * 10


@pytest.mark.parametrize("seed", SEEDS)
def test_risen_quota_is_used_within_five_seconds(seed: int) -> None:
    (sender,) = simulate(Bucket(500), 11, seed, changes={5: 2_000})
    assert sender.accepted(10, 11) >= 0.9 * 2_000


@pytest.mark.parametrize("seed", SEEDS)
def test_sunken_quota_is_followed(seed: int) -> None:
    (sender,) = simulate(Bucket(5_000), 12, seed, changes={5: 500})
    assert sender.accepted(7, 12) >= 0.9 * 500 * 5
    assert sender.throttled_share(7) <= 0.1


def test_four_senders_share_a_quota_fairly() -> None:
    fair = 0
    for seed in range(5):
        senders = simulate(Bucket(2_000), 40, seed, starts=range(4))
        accepted = [sender.accepted(20) for sender in senders]
        assert sum(accepted) >= 0.95 * 2_000 * 20
        assert sum(sender.throttled_share(20) for sender in senders) / 4 <= 0.12
        fair += all(0.15 <= each / sum(accepted) <= 0.35 for each in accepted)
    assert fair >= 4


@pytest.mark.parametrize(("count", "rate"), [(8, 400), (8, 1_000), (16, 600), (16, 2_400)])  # AWS's smaller quotas
def test_many_senders_share_a_quota_without_using_up_their_attempts(count: int, rate: float) -> None:
    starved = 0
    for seed in SEEDS:
        senders = simulate(Bucket(rate), 40, seed, starts=[number / 4 for number in range(count)])
        assert sum(sender.accepted(20) for sender in senders) >= 0.9 * rate * 20
        starved += sum(sender.throttled_share(20) > 0.7 for sender in senders)  # 0.7 to the power of 20 is 0.1 %
    assert starved <= 0.05 * count * len(SEEDS)


@pytest.mark.parametrize(("count", "rate"), [(8, 400), (16, 600)])
def test_many_senders_go_on_sharing_a_quota(count: int, rate: float) -> None:
    senders = simulate(Bucket(rate), 300, 1, starts=[number / 4 for number in range(count)])
    assert sum(sender.accepted(120) for sender in senders) >= 0.9 * rate * 180
    assert max(sender.throttled_share(120) for sender in senders) <= 0.5


def test_throttling_that_others_begin_to_cause_is_tolerated_in_the_end() -> None:
    little, much = random_share(0.3, 0), random_share(0.8, 0)
    (sender,) = simulate(lambda now, entries: (little if now < 20 else much)(now, entries), 180, 0)
    assert sender.accepted(160, 180) >= 0.5 * 0.2 * MAX_REQUESTS * ENTRIES * 20


@pytest.mark.parametrize(("rate", "lowest"), [(20, SHARED_MIN_RATE), (100, MIN_RATE)])
def test_rate_stays_above_its_minimum_while_anything_is_accepted(rate: float, lowest: float) -> None:
    (sender,) = simulate(Bucket(rate), 20, 0)
    assert sender.lowest_rate >= lowest


def test_little_is_sent_while_nothing_is_accepted() -> None:
    (sender,) = simulate(Bucket(2_000), 25, 0, changes={5: 0, 15: 2_000})
    assert len([at for at, _ in sender.answers if 8 <= at < 15]) <= 10
    assert sender.accepted(17, 25) >= 0.9 * 2_000 * 8


class TestMaximumRate:
    now = 0.0

    def controller(self, rate: float) -> RateController:
        return RateController(rate, lambda: self.now)

    def test_maximum_is_kept(self) -> None:
        controller, sent = self.controller(100), 0
        for _ in range(1_000):
            if not controller.seconds_until_free():
                controller.on_answer(controller.on_send(10), 10, 0)
                sent += 10
            self.now += 0.01
        assert sent == pytest.approx(1_000, abs=15)

    def test_unused_time_is_not_saved_up(self) -> None:
        controller = self.controller(100)
        controller.on_send(10)
        self.now += 60
        controller.on_send(10)
        assert controller.seconds_until_free() >= 0.07


class TestUnusualAnswers:
    now = 0.0

    def controller(self) -> RateController:
        return RateController(clock=lambda: self.now)

    def send(self, controller: RateController, requests: int, seconds: float) -> None:
        for _ in range(requests):
            self.now += seconds
            controller.on_answer(controller.on_send(10), 10, 0)

    def test_request_without_answer_does_not_fix_the_rate(self) -> None:
        controller = self.controller()
        rate = controller.rate
        controller.on_send(10)
        self.send(controller, 1_000, 0.005)
        assert controller.rate > rate

    def test_slow_source_does_not_raise_the_rate(self) -> None:
        controller = self.controller()
        rate = controller.rate
        self.send(controller, 100, 0.1)
        assert controller.rate == rate

    def test_failed_requests_do_not_change_the_rate(self) -> None:
        controller = self.controller()
        rate = controller.rate
        for _ in range(100):
            self.now += 0.01
            controller.on_answer(controller.on_send(10), 0, 0)
        assert controller.rate == rate
