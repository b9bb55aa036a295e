"""Files that staff upload: read within limits, and re-encoded before they are stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flask import Request, current_app
from werkzeug.datastructures import FileStorage

from app.domain.clock import utc_now
from app.errors import Malformed, ShopError
from app.gateways import media
from app.services.catalogue import pictures
from app.services.catalogue.pictures import Picture
from app.web.strict_json import refuse_encoded


def read_form(request: Request) -> dict[str, str | FileStorage]:
    """The fields and files of a multipart form (RFC 7578).

    Raises:
        Malformed: `unsupported_media_type`.
        werkzeug RequestEntityTooLarge: more than MAX_UPLOAD_BYTES.
    """
    refuse_encoded(request)
    if request.mimetype != "multipart/form-data":
        raise Malformed("unsupported_media_type", "Send the file as multipart/form-data.")
    allow_large_body(request)
    return {**request.form.to_dict(), **request.files.to_dict()}


def allow_large_body(request: Request) -> None:
    """Allow this request a body of MAX_UPLOAD_BYTES. Call this before its form is read."""
    request.max_content_length = current_app.config["MAX_UPLOAD_BYTES"]


@contextmanager
def stored_picture(file: FileStorage) -> Iterator[Picture]:
    """Re-encode an uploaded picture and store its files. It is shown once a product names it.

    If the shop refuses it then, or there is no room for all its files, those that were written are
    removed again. Any other failure leaves them to `flask purge`: it may have come after the commit.
    Slow: call it outside of transactions. Raises Invalid on `file`.
    """
    picture = pictures.render(file.read())
    store = media.store()
    written: dict[str, datetime] = {}
    try:
        for name, data in picture.files.items():
            if store.save(name, data):
                written[name] = utc_now()
        yield picture
    except (OSError, ShopError):
        for name, moment in written.items():
            store.discard(name, moment)
        raise
