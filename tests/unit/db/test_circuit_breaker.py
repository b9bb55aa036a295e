"""The circuit breaker: who may call a server that has failed."""

import pytest

from app.db import circuit_breaker
from app.db.circuit_breaker import SKIP_SECONDS, CircuitBreaker


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test moves by hand."""
    now = [100.0]
    monkeypatch.setattr(circuit_breaker.time, "monotonic", lambda: now[0])
    return now


def test_a_server_that_answers_is_called_by_everybody(clock):
    breaker = CircuitBreaker()

    assert [breaker.allows_call() for _ in range(3)] == [True] * 3
    assert not breaker.record_success()


def test_after_a_failure_nobody_calls_for_a_while(clock):
    breaker = CircuitBreaker()

    assert (breaker.record_failure(), breaker.record_failure()) == (True, False)

    clock[0] += SKIP_SECONDS * 0.9
    assert not breaker.allows_call()


def test_then_one_caller_tries_and_the_others_wait_for_its_result(clock):
    breaker = CircuitBreaker()
    breaker.record_failure()
    clock[0] += SKIP_SECONDS

    assert [breaker.allows_call() for _ in range(3)] == [True, False, False]
    assert breaker.record_success()
    assert [breaker.allows_call() for _ in range(3)] == [True] * 3


def test_a_caller_that_never_reports_is_followed_by_another(clock):
    breaker = CircuitBreaker()
    breaker.record_failure()
    clock[0] += SKIP_SECONDS
    breaker.allows_call()

    clock[0] += SKIP_SECONDS

    assert breaker.allows_call()
