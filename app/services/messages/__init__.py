"""Answers to repeated requests (idempotency keys)."""
