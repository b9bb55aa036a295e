"""Pictures of products, unless a web server in front serves their folder."""

from flask import Blueprint, Response, abort, current_app

from app.gateways import media

blp = Blueprint("media", __name__, url_prefix="/media")
FOR_EVER = "public, max-age=31536000, immutable"


@blp.get("/<name>")
def picture(name: str) -> Response:
    """One file. Its name depends on its content, so that browsers can cache it for good (RFC 8246)."""
    data = media.store().read(name) if media.NAME.fullmatch(name) else None
    if data is None:
        abort(404)
    return current_app.response_class(
        data, mimetype="image/webp", headers={"Cache-Control": FOR_EVER}
    )
