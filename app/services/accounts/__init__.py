"""Accounts: sign-in, sessions, limits on guessing, addresses, staff, customers."""
