"""Cached responses: what is stored, what invalidates it, shared and local."""
