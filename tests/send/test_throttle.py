from __future__ import annotations

import pytest

from airflow_cwevents._send.throttle import SAMPLE_SECONDS, Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cpu_clock() -> Clock:
    return Clock()


def throttle(clock: Clock, cpu_clock: Clock, concurrency: int = 16, rate: float | None = None) -> Throttle:
    return Throttle(concurrency, rate, float, clock, cpu_clock)


def sample(given: Throttle, clock: Clock, cpu_clock: Clock, share: float) -> None:
    clock.now += 2 * SAMPLE_SECONDS
    cpu_clock.now += 2 * SAMPLE_SECONDS * share
    given.on_answer(0.02)


def test_concurrency_doubles_while_the_cpu_is_idle(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock)
    limits = []
    for _ in range(4):
        sample(given, clock, cpu_clock, share=0.3)
        limits.append(given.limit)
    assert limits == [8, 16, 16, 16]


def test_concurrency_shrinks_while_the_cpu_is_busy(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock)
    limits = []
    for _ in range(5):
        sample(given, clock, cpu_clock, share=0.99)
        limits.append(given.limit)
    assert limits == [3, 2, 1, 1, 1]


def test_concurrency_is_unchanged_at_moderate_cpu_load(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock)
    sample(given, clock, cpu_clock, share=0.9)
    assert given.limit == 4


def test_requests_in_flight_are_limited(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock, concurrency=2)
    assert [given.admits(busy) for busy in (0, 1, 2, 3)] == [True, True, False, False]


def test_throttling_of_concurrent_requests_halves_the_limit_once(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock)
    numbers = [given.on_send(10) for _ in range(4)]
    for number in numbers:
        given.on_throttled(number)
    assert given.limit == 2
    assert given.seconds_until_free() == 1
    given.on_throttled(given.on_send(10))
    assert given.limit == 1
    assert given.seconds_until_free() == 2
    given.on_throttled(given.on_send(10))
    assert given.limit == 1
    assert given.seconds_until_free() == 3


def test_throttling_pauses_sending(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock)
    given.on_throttled(given.on_send(10))
    assert not given.admits(0)
    clock.now += 1
    assert given.admits(0)


def test_success_restores_concurrency(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock)
    given.on_throttled(given.on_send(10))
    sample(given, clock, cpu_clock, share=0.1)
    assert given.limit == 2
    given.on_success()
    for _ in range(3):
        sample(given, clock, cpu_clock, share=0.1)
    assert given.limit == 16
    given.on_throttled(given.on_send(10))
    assert given.seconds_until_free() == 1


def test_rate_is_limited(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock, rate=100)
    sent = 0
    for _ in range(1000):
        if given.admits(0):
            given.on_send(10)
            sent += 10
        clock.now += 0.01
    assert sent == pytest.approx(1000, abs=10)


def test_unused_rate_does_not_accumulate(clock: Clock, cpu_clock: Clock) -> None:
    given = throttle(clock, cpu_clock, rate=100)
    given.on_send(10)
    clock.now += 60
    given.on_send(10)
    assert given.seconds_until_free() == pytest.approx(0.1)


def test_sending_is_not_delayed_without_rate_or_throttling(clock: Clock, cpu_clock: Clock) -> None:
    given = Throttle(1, None, lambda failures: 0.0, clock, cpu_clock)
    given.on_send(10)
    assert given.seconds_until_free() == 0
