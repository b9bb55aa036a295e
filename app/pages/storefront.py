"""The shop's front page."""

from flask import Blueprint, current_app, render_template

blp = Blueprint("storefront", __name__)


@blp.get("/")
def home() -> str:
    """A welcome, with the ways into the API."""
    return render_template("home.html", store_name=current_app.config["STORE_NAME"])
