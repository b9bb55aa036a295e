"""Who calls: tokens, the sign-in cookie, guests, operators."""
