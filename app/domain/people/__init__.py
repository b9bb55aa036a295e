"""Rules about people: callers, emails, passwords, networks, tokens."""
