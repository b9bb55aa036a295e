"""What is done once: answers to repeated requests (idempotency keys), and jobs of the worker."""
