"""The least that an answer costs here: a bare Flask view, for the same gunicorn as the shop."""

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.get("/hello")
def hello() -> Response:
    """A little JSON."""
    return jsonify(message="hello")


@app.get("/healthz/ready")
def ready() -> Response:
    """It takes requests as soon as it listens."""
    return jsonify(status="ok")
