"""Pages of an account: sign-in, orders, addresses."""
