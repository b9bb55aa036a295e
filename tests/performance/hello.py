"""The least that an answer costs here: bare Flask views, for the same gunicorn as the shop."""

import bcrypt
from flask import Flask, Response, jsonify, request

app = Flask(__name__)
PASSWORD = b"a password of the usual length"
HASHES = {rounds: bcrypt.hashpw(PASSWORD, bcrypt.gensalt(rounds)) for rounds in (4, 12)}


@app.get("/hello")
def hello() -> Response:
    """A little JSON."""
    return jsonify(message="hello")


@app.post("/password/<int:rounds>")
def check_password(rounds: int) -> Response:
    """What no sign-in can do without: to read its JSON, and to compare a hash of these rounds."""
    fits = bcrypt.checkpw(request.get_json()["password"].encode(), HASHES[rounds])
    return jsonify(fits=fits)


@app.get("/healthz/ready")
def ready() -> Response:
    """It takes requests as soon as it listens."""
    return jsonify(status="ok")
