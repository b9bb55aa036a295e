"""The staff's pages: everything below /admin, for admins alone."""
