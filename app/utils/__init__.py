"""Decorators of views, and the answers to refusals and failures."""
