"""Files that staff send: read within limits, and made fit before anything is stored."""

from typing import Any

from flask import Request, current_app
from werkzeug.datastructures import FileStorage

from app.errors import Malformed
from app.gateways import media
from app.services.catalogue import pictures
from app.services.catalogue.pictures import Picture


def read_form(sent: Request) -> dict[str, Any]:
    """The fields and files of a multipart form (RFC 7578).

    Raises:
        Malformed: `unsupported_media_type`.
        werkzeug RequestEntityTooLarge: more than MAX_UPLOAD_BYTES.
    """
    if sent.mimetype != "multipart/form-data":
        raise Malformed("unsupported_media_type", "Send the file as multipart/form-data.")
    allow_large_body(sent)
    return {**sent.form.to_dict(), **sent.files.to_dict()}


def allow_large_body(sent: Request) -> None:
    """Let this request be as large as a file may be; to be called before its form is read."""
    sent.max_content_length = current_app.config["MAX_UPLOAD_BYTES"]


def keep_picture(file: FileStorage) -> Picture:
    """Re-encode a picture that was sent and keep its files; to be shown, a product has to name it.

    Slow: call it outside of transactions.

    Raises:
        Invalid: on `file`.
    """
    picture = pictures.render(file.read())
    store = media.store()
    for name, data in picture.files.items():
        store.save(name, data)
    return picture
