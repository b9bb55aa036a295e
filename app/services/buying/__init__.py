"""Carts and checkout."""
