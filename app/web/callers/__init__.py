"""The caller of a request: tokens, the sign-in cookie, guests, operators."""
