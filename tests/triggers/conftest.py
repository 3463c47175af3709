"""A queue in memory for triggers, without waits."""

from __future__ import annotations

import pytest

from airflow_cwevents.triggers import EventQueueTrigger
from tests.receive.queues import FakeQueue


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> FakeQueue:
    """The queue of every trigger."""
    queue = FakeQueue()
    monkeypatch.setattr("airflow_cwevents.triggers.event_queue.ThreadedQueue", lambda open_queue, url: queue)
    monkeypatch.setattr(EventQueueTrigger, "start_delay", 0.0)
    monkeypatch.setattr("airflow_cwevents._receive.acknowledgement.BATCH_SECONDS", 0.0)
    monkeypatch.setattr("airflow_cwevents._receive.outage.FIRST_WAIT_SECONDS", 0.0)
    return queue
