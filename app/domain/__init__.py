"""Rules of the shop that are true without a database."""
