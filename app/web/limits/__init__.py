"""How often somebody may call."""
