from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from airflow_cwevents._cli.demo.interrupts import SIGNALS, Interrupts


@contextmanager
def resource(kept: list[str], number: signal.Signals | None) -> Iterator[None]:
    """Be started and ended, with a signal in the middle of both."""
    if number:
        signal.raise_signal(number)
    kept.append("resource")
    try:
        yield
    finally:
        if number:
            signal.raise_signal(number)
        kept.remove("resource")


@pytest.mark.parametrize("number", SIGNALS)
def test_where_it_is_allowed(number: signal.Signals) -> None:
    kept: list[str] = []

    def work(interrupts: Interrupts, stack: ExitStack) -> None:
        stack.enter_context(resource(kept, None))
        with interrupts.allowed():
            signal.raise_signal(number)
            pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts, ExitStack() as stack:
        work(interrupts, stack)
    assert kept == []


@pytest.mark.parametrize("number", SIGNALS)
def test_waits_while_things_are_started_and_ended(number: signal.Signals) -> None:
    kept: list[str] = []
    reached = []

    def work(interrupts: Interrupts, stack: ExitStack) -> None:
        stack.enter_context(resource(kept, number))
        reached.append("started")
        with interrupts.allowed():
            pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts, ExitStack() as stack:
        work(interrupts, stack)
    assert (reached, kept) == (["started"], [])


def test_several_in_a_row_interrupt_once() -> None:
    kept: list[str] = []

    def work(interrupts: Interrupts, stack: ExitStack) -> None:
        stack.enter_context(resource(kept, signal.SIGTERM))
        with interrupts.allowed():
            pytest.fail("it went on")

    with Interrupts() as interrupts:
        for number in SIGNALS:
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt), ExitStack() as stack:
            work(interrupts, stack)
        for number in SIGNALS:
            signal.raise_signal(number)
    assert kept == []


@pytest.mark.parametrize("ignored", SIGNALS)
def test_what_is_ignored_stays_so(ignored: signal.Signals) -> None:
    """A process started by nohup ignores SIGHUP, one in a shell's background SIGINT; others still interrupt."""
    before = signal.signal(ignored, signal.SIG_IGN)
    heeded = next(number for number in SIGNALS if number is not ignored)
    reached: list[signal.Signals] = []

    def work(interrupts: Interrupts) -> None:
        with interrupts.allowed():
            for number in (ignored, ignored, heeded):
                signal.raise_signal(number)
                reached.append(number)

    try:
        with Interrupts() as interrupts:
            with pytest.raises(KeyboardInterrupt):
                work(interrupts)
            signal.raise_signal(ignored)
        assert signal.getsignal(ignored) is signal.SIG_IGN
    finally:
        signal.signal(ignored, before)
    assert reached == [ignored, ignored]


def test_signals_do_afterwards_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in SIGNALS] == before
