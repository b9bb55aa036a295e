"""The staff's doors: everything below /admin, for admins alone."""
