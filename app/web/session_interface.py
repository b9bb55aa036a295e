"""Flask's signed session cookie, which only the pages read and write."""

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from app.web.plain_paths import is_for_programs


class VisitSessions(SecureCookieSessionInterface):
    """Opens the session only where it is used: Flask prepares its signatures in every request."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The visitor's session; None, which cannot be written to, at paths for programs."""
        if is_for_programs(request.path):
            return None
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)
