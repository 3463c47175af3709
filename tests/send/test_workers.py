from __future__ import annotations

import threading
import time

from airflow_cwevents._send.workers import Workers


def collect(workers: Workers[int, int], count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        workers.wait(5)
        while (result := workers.take()) is not None:
            found.append(result)
    return found


def test_jobs_are_done_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=5)

    def job(number: int) -> int:
        together.wait()
        return number * number

    workers = Workers(job)
    for number in range(4):
        workers.submit(number)
    assert workers.busy == 4
    assert sorted(collect(workers, 4)) == [0, 1, 4, 9]
    assert workers.busy == 0
    workers.close()


def test_there_are_as_many_threads_as_jobs_at_a_time() -> None:
    seen: set[int] = set()

    def job(number: int) -> int:
        seen.add(threading.get_ident())
        return number

    workers = Workers(job)
    for number in range(50):
        workers.submit(number)
        collect(workers, 1)
    assert len(seen) == 1
    workers.close()


def test_wait_for_results_has_an_end() -> None:
    workers: Workers[int, int] = Workers(lambda number: number)
    workers.wait(0)
    workers.wait(0.01)
    assert workers.take() is None


def test_result_that_was_waited_for_stays_until_it_is_taken() -> None:
    workers: Workers[int, int] = Workers(lambda number: number)
    workers.submit(7)
    workers.wait(5)
    workers.wait(0)
    assert workers.have_results
    assert workers.busy == 1
    assert workers.take() == 7
    assert not workers.have_results
    assert workers.busy == 0
    workers.close()


def test_wake_ends_the_wait_early() -> None:
    workers: Workers[int, int] = Workers(lambda number: number)
    began_at = time.monotonic()
    threading.Timer(0.05, workers.wake).start()
    workers.wait(None)
    assert time.monotonic() - began_at < 5


def test_threads_end_when_closed() -> None:
    before = threading.active_count()
    workers: Workers[int, int] = Workers(lambda number: number)
    workers.submit(1)
    collect(workers, 1)
    assert threading.active_count() == before + 1
    workers.close()
    for _ in range(100):
        if threading.active_count() == before:
            break
        time.sleep(0.01)
    assert threading.active_count() == before
