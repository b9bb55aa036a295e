"""Answers kept ready: what is stored, what invalidates it, shared and local."""
