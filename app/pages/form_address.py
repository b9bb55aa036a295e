"""The address of the page that has the form in this request."""

from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from app.web.redirects import safe_target


def form_address() -> str:
    """The path of the page that sent the form, if the address of this request cannot be asked for with GET;
    otherwise empty, for this address.

    Pages that answer a form put it into the browser's history (`static/posted.js`).
    """
    try:
        adapter = current_app.create_url_adapter(request)
        if adapter is not None and adapter.match(method="GET"):
            return ""
    except HTTPException:
        pass
    try:
        return safe_target(urlsplit(request.referrer or "").path, "/")
    except ValueError:
        return "/"
