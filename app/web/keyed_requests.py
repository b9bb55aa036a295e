"""Idempotency keys over HTTP: a POST that is sent again under its key is answered as the first time.

See the IETF draft "The Idempotency-Key HTTP Header Field". Each POST of the API declares whether it
takes a key, and `ShopBlueprint` registers none that does not. PUT, PATCH and DELETE, which set what
is sent, and reads are idempotent (RFC 9110, section 9.2.2); they ignore the header, as other APIs do.

A key belongs to its caller and to the address that it was sent to. A guest whose first request
opens a cart has nothing to be told from other guests by: the key is then stored under the new cart's
token. If that answer is lost, so is its cart, and another try opens another one.
"""

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, current_app, request
from werkzeug.datastructures import FileStorage

from app.db.unit_of_work import in_transaction
from app.domain.people.tokens import hash_token
from app.errors import Invalid
from app.keyed_hashes import keyed_hash
from app.services.messages import idempotency
from app.services.messages.idempotency import Claim, KeyedRequest, StoredAnswer
from app.web.blueprints import TAKES_KEY, takes_header
from app.web.callers.buyers import CART_TOKEN, IDEMPOTENCY_KEY, current_buyer, header
from app.web.strict_json import read_body
from app.web.uploads import read_form

V = TypeVar("V", bound=Callable[..., Any])
Answer = Response | tuple[Response, int]
"""A response; with the id of the order that it repeats, so that erasing the order deletes it."""
REPLAYED = "Idempotency-Replayed"
MAX_KEY = 255
KEY = header(
    IDEMPOTENCY_KEY,
    'A request with the same key and body is carried out once within 24 hours. `k` and `"k"` are one.',
    MAX_KEY,
    "^[!-~]([ -~]*[!-~])?$",  # spaces around it are not a part of a header's value
)
_KEY = re.compile(rf"[ -~]{{1,{MAX_KEY}}}")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')  # a string of RFC 9651, section 3.3.3


def takes_key(view: V) -> V:
    """Declare that a POST takes an idempotency key. It carries its work out by `once`.

    A key that is not valid is refused before the view is called: before it looks for anything,
    hashes a password, or stores a file.
    """
    takes_header(view, KEY)

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _read_key()
        return view(*args, **kwargs)

    vars(checked)["_apidoc"] = {**vars(view)["_apidoc"], TAKES_KEY: True}
    return checked  # type: ignore[return-value]


def refuses_key(view: V) -> V:
    """Declare that a POST takes no idempotency key, and refuse one rather than ignore it."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if IDEMPOTENCY_KEY in request.headers:
            detail = "This takes no Idempotency-Key: send it without one."
            raise Invalid(code="idempotency_not_supported", detail=detail)
        return view(*args, **kwargs)

    vars(checked)["_apidoc"] = {**vars(view).get("_apidoc", {}), TAKES_KEY: False}
    return checked  # type: ignore[return-value]


def order_request() -> KeyedRequest | None:
    """An order's request with its key, if one was sent; raises Invalid.

    Orders are stored under the key itself, as by earlier releases, which stored quotes with it.
    """
    key = _read_key()
    if key is None:
        return None
    text = request.headers[IDEMPOTENCY_KEY]
    return KeyedRequest(key, read_body(request), former_key=text if text != key else None)


def once(
    work: Callable[[], Answer], scope: str | None = None, holds_password: bool = False
) -> Response:
    """Run `work` in a transaction and store its response, or replay the one that is stored.

    Args:
        scope: whose key it is; by default the account's, or else that of the guest's cart.
        holds_password: whether the body holds one. Its fingerprint is then keyed, because others
            could be tried against it.
    """
    keyed = _keyed_request(holds_password)
    if keyed is None:
        return in_transaction(lambda: _response(work()))
    return in_transaction(lambda: _once(keyed, scope or _scope_of_caller(), work))


def _once(keyed: KeyedRequest, scope: str | None, work: Callable[[], Answer]) -> Response:
    claim = idempotency.claim(keyed, scope) if scope else None
    if claim and claim.answer is not None:
        return _replay(StoredAnswer.load(claim.answer))
    answer = work()
    response = _response(answer)
    claim = _claim_for_new_cart(keyed, claim, response) or claim
    if claim:
        order_id = answer[1] if isinstance(answer, tuple) else None
        idempotency.store_answer(claim, _stored(response).dump(), order_id)
    return response


def _claim_for_new_cart(
    keyed: KeyedRequest, claim: Claim | None, response: Response
) -> Claim | None:
    """The claim under the token of the cart that was opened; None where none was."""
    token = response.headers.get(CART_TOKEN)
    if token is None:
        return None
    if claim:
        idempotency.release(claim)
    return idempotency.claim(keyed, idempotency.scope_of_cart(hash_token(token)))


def _scope_of_caller() -> str | None:
    buyer = current_buyer()
    if buyer.user_id is None and buyer.guest_token is None:
        return None
    return idempotency.scope_of(buyer)


def _response(answer: Answer) -> Response:
    return answer[0] if isinstance(answer, tuple) else answer


def _stored(response: Response) -> StoredAnswer:
    headers = {name: value for name, value in response.headers if name != "Content-Length"}
    if CART_TOKEN in headers:
        headers[CART_TOKEN] = ""  # a secret, which the caller sends with the next request
    return StoredAnswer(response.status_code, headers, response.get_data())


def _replay(stored: StoredAnswer) -> Response:
    headers = {**stored.headers, REPLAYED: "true"}
    if CART_TOKEN in headers:
        headers[CART_TOKEN] = request.headers[CART_TOKEN]
    return current_app.response_class(stored.body, stored.status, headers)


def _keyed_request(holds_password: bool) -> KeyedRequest | None:
    key = _read_key()
    if key is None:
        return None
    body = _read_content()
    if holds_password:
        text = json.dumps([key, body], sort_keys=True, default=str)
        body = keyed_hash("idempotent request", text).hex()
    return KeyedRequest(hashlib.sha256(f"{request.path} {key}".encode()).hexdigest(), body)


def _read_key() -> str | None:
    """The request's key without the quotes of a structured field, None where there is none.

    Raises:
        Invalid: `idempotency_key_invalid`.
    """
    text = request.headers.get(IDEMPOTENCY_KEY)
    if text is None:
        return None
    quoted = _QUOTED.fullmatch(text) if len(text) <= 2 * MAX_KEY + 2 else None
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not _KEY.fullmatch(key):
        detail = f"An Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters."
        raise Invalid(code="idempotency_key_invalid", detail=detail)
    return key


def _read_content() -> object:
    """The content of the request, files as their hashes."""
    if request.mimetype != "multipart/form-data":
        return read_body(request)
    return {name: _content_of(value) for name, value in read_form(request).items()}


def _content_of(value: str | FileStorage) -> list[str]:
    if isinstance(value, str):
        return ["text", value]
    digest = hashlib.sha256()
    value.stream.seek(0)
    while block := value.stream.read(1 << 16):
        digest.update(block)
    value.stream.seek(0)
    return ["file", digest.hexdigest()]
