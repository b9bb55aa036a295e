"""The signed cookie of a visit, which only the pages read and write."""

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from app.web.plain_paths import is_for_programs


class VisitSessions(SecureCookieSessionInterface):
    """Flask's own, which prepares its signatures anew in every request, only where they are used."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """What the visitor's cookie says; for programs nothing, which cannot be written to."""
        if is_for_programs(request.path):
            return None
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)
