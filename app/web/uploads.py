"""Files that staff upload: read within limits, and re-encoded before they are stored."""

from flask import Request, current_app
from werkzeug.datastructures import FileStorage

from app.errors import Malformed
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


def store_picture(file: FileStorage) -> Picture:
    """Re-encode an uploaded picture and store its files. It is shown once a product names it.

    Slow: call it outside of transactions. Raises Invalid on `file`.
    """
    picture = pictures.render(file.read())
    store = media.store()
    for name, data in picture.files.items():
        store.save(name, data)
    return picture
