"""Registration, sign-in, refresh and logout over HTTP."""

from datetime import timedelta

import jwt
import pytest
import time_machine

from app.db import cleanup
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.models import Session, User
from app.services.accounts import session_service
from tests import factories
from tests.factories import PASSWORD
from tests.integration.conftest import Caller
from tests.integration.people import (
    EMAIL,
    bearer,
    change,
    inside,
    login,
    make_user,
    me,
    only_row,
    refresh,
    rows,
)

ACCOUNT = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def account(anyone):
    """An account for `ACCOUNT`."""
    return anyone.post("/api/auth/register", json=ACCOUNT).json


def test_registering_makes_a_customer(anyone):
    response = anyone.post(
        "/api/auth/register", json={**ACCOUNT, "first_name": " Ann ", "last_name": "Lee"}
    )

    assert response.status_code == 201
    assert response.headers["Location"] == "/api/users/me"
    assert response.headers["Cache-Control"] == "no-store"
    user = response.json
    assert user.pop("created_at").endswith("Z")
    assert user.pop("id") > 0
    assert user == {
        "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "role": "customer",
        "is_active": True, "email_verified": False,
    }  # fmt: skip


def test_the_password_is_stored_as_a_hash_only(app, account):
    user = only_row(app, User)

    assert user.password_hash.startswith("$2b$")
    assert PASSWORD not in user.password_hash


@pytest.mark.parametrize(
    "email",
    ["ann@example.com", "ANN@Example.COM", " Ann@example.com ", "ａｎｎ@example.com",
     "ann＠ｅｘａｍｐｌｅ．ｃｏｍ", "ann@example。com", "Ⓐnn@example.com"],
)  # fmt: skip
def test_an_email_is_taken_in_whatever_case(app, anyone, account, email):
    response = anyone.post("/api/auth/register", json={**ACCOUNT, "email": email})

    assert response.status_code == 409
    assert response.json["code"] == "email_taken"
    assert len(rows(app, User)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "short"),
        ("password", "Password1"),
        ("password", "x" * 129),
        ("password", "with\u0000nul and more"),
        ("password", 12345678),
        ("password", None),
        ("email", "no address"),
        ("email", "a\u0000@example.com"),
        ("email", "a" * 250 + "@example.com"),
        ("email", ["ann@example.com"]),
        ("first_name", "x" * 101),
        ("first_name", "a\u0000b"),
        ("role", "admin"),
        ("is_active", True),
        ("id", 1),
    ],
)
def test_registering_with_a_wrong_field_is_refused(app, anyone, field, value):
    response = anyone.post("/api/auth/register", json={**ACCOUNT, field: value})

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]
    assert rows(app, User) == []


def test_registering_with_nothing_names_every_missing_field(anyone):
    response = anyone.post("/api/auth/register", json={})

    assert response.status_code == 422
    assert set(response.json["errors"]) == {"email", "password"}


@pytest.mark.parametrize("password", ["x" * 127 + "y", "🦊" * 64 + "🐻" * 64, "ñandú žluťoučký"])
def test_any_allowed_password_signs_in_and_is_never_cut_off(anyone, password):
    anyone.post("/api/auth/register", json={**ACCOUNT, "password": password})

    assert login(anyone, password=password).status_code == 200
    assert login(anyone, password=password[:-1]).status_code == 401


def test_a_password_typed_with_composed_or_separate_accents_is_the_same(anyone):
    anyone.post(
        "/api/auth/register", json={**ACCOUNT, "password": "cre\u0300me bru\u0302le\u0301e"}
    )

    assert login(anyone, password="crème brûlée").status_code == 200


def test_signing_in_answers_a_pair_of_tokens(anyone, account):
    response = login(anyone, email="ANN@example.com")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json["token_type"] == "Bearer"
    assert response.json["expires_in"] == 900
    assert me(anyone, response.json["access_token"]).json["id"] == account["id"]


def test_unknown_email_and_wrong_password_get_the_same_answer(anyone, account):
    answers = [
        login(anyone, email="nobody@example.com"),
        login(anyone, email="no address at all"),
        login(anyone, password="wrong password"),
    ]

    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json["code"] == "invalid_credentials"
        assert {**answer.json, "request_id": ""} == {**answers[0].json, "request_id": ""}


def test_a_deactivated_account_cannot_sign_in_and_gets_no_hint(app, anyone):
    make_user(app, is_active=False)

    response = login(anyone)

    assert response.status_code == 401
    assert response.json["code"] == "invalid_credentials"


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "a@example.com"}, {"email": 1, "password": "x"}, {"email": "", "password": "x"},
     {"email": "a@example.com", "password": ""}, {"email": "a\0b", "password": "x"},
     {"email": "a@example.com", "password": "nul\0"}, {"email": "a@example.com", "password": "x", "role": "admin"},
     [], "text", 7, None],
)  # fmt: skip
def test_signing_in_with_a_wrong_body_is_refused(anyone, body):
    response = anyone.post("/api/auth/login", json=body)

    assert response.status_code == 422
    assert response.json["errors"]


def test_bodies_that_are_no_json_are_told_apart(anyone):
    broken = anyone.post("/api/auth/login", data="{", content_type="application/json")
    form = anyone.post("/api/auth/login", data={"email": "a@example.com", "password": "x"})
    surrogate = anyone.post(
        "/api/auth/login",
        data='{"email": "\\ud800", "password": "x"}',
        content_type="application/json",
    )

    assert (broken.status_code, form.status_code, surrogate.status_code) == (400, 415, 400)


def test_a_refresh_token_is_traded_for_a_new_pair(anyone, account):
    first = login(anyone).json

    second = refresh(anyone, first["refresh_token"])

    assert second.status_code == 200
    assert second.json["refresh_token"] != first["refresh_token"]
    assert me(anyone, second.json["access_token"]).status_code == 200
    assert refresh(anyone, second.json["refresh_token"]).status_code == 200


def test_a_refresh_token_used_twice_ends_its_whole_family(anyone, account):
    first = login(anyone).json
    other_session = login(anyone).json
    second = refresh(anyone, first["refresh_token"]).json

    again = refresh(anyone, first["refresh_token"])

    assert again.status_code == 401
    assert again.json["code"] == "invalid_token"
    assert "WWW-Authenticate" in again.headers
    assert refresh(anyone, second["refresh_token"]).status_code == 401
    assert me(anyone, second["access_token"]).status_code == 401
    assert me(anyone, other_session["access_token"]).status_code == 200


def test_a_refresh_keeps_the_session_going(anyone, account):
    tokens = login(anyone).json
    with time_machine.travel(utc_now() + timedelta(days=29), tick=False):
        tokens = refresh(anyone, tokens["refresh_token"]).json

    with time_machine.travel(utc_now() + timedelta(days=58), tick=False):
        response = refresh(anyone, tokens["refresh_token"])

    assert response.status_code == 200


def test_refreshing_needs_a_refresh_token(anyone, account):
    tokens = login(anyone).json

    assert anyone.post("/api/auth/refresh").status_code == 401
    assert anyone.post("/api/auth/refresh").headers["WWW-Authenticate"] == "Bearer"
    assert refresh(anyone, tokens["access_token"]).status_code == 401
    assert refresh(anyone, tokens["refresh_token"]).status_code == 200


def test_a_refresh_token_opens_no_other_door(anyone, account):
    token = login(anyone).json["refresh_token"]

    assert me(anyone, token).status_code == 401
    assert anyone.post("/api/auth/logout", headers=bearer(token)).status_code == 401
    assert refresh(anyone, token).status_code == 200


def test_the_refresh_token_of_a_deactivated_account_is_refused(app, anyone, account):
    tokens = login(anyone).json
    change(app, only_row(app, User), is_active=False)

    assert refresh(anyone, tokens["refresh_token"]).status_code == 401


def test_logout_ends_this_session_only(anyone, account):
    tokens, others = login(anyone).json, login(anyone).json

    response = anyone.post("/api/auth/logout", headers=bearer(tokens["access_token"]))

    assert response.status_code == 204
    assert response.data == b""
    assert me(anyone, tokens["access_token"]).status_code == 401
    assert refresh(anyone, tokens["refresh_token"]).status_code == 401
    assert me(anyone, others["access_token"]).status_code == 200


def test_logout_needs_a_sign_in(anyone):
    response = anyone.post("/api/auth/logout")

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_signing_in_with_a_cart_token_merges_the_guest_cart(app, anyone, account):
    product = inside(app, factories.product)
    added = anyone.post("/api/cart/items", json={"product_id": product.id, "quantity": 2})
    guest = Caller(app, **{"X-Cart-Token": added.headers["X-Cart-Token"]})

    tokens = login(guest).json

    cart = anyone.get("/api/cart", headers=bearer(tokens["access_token"])).json
    assert [(item["product_id"], item["quantity"]) for item in cart["items"]] == [(product.id, 2)]
    assert guest.get("/api/cart").json["items"] == []


def test_a_failed_sign_in_leaves_the_guest_cart_alone(app, anyone, account):
    product = inside(app, factories.product)
    added = anyone.post("/api/cart/items", json={"product_id": product.id})
    guest = Caller(app, **{"X-Cart-Token": added.headers["X-Cart-Token"]})

    login(guest, password="wrong password")

    assert guest.get("/api/cart").json["item_count"] == 1


@pytest.mark.parametrize("token", ["unknown", "x" * 5000, "%00"])
def test_signing_in_with_an_unknown_cart_token_just_signs_in(anyone, account, token):
    response = login(anyone, headers={"X-Cart-Token": token})

    assert response.status_code == 200


def forged(app, remove=(), key=None, algorithm="HS256", **changes):
    """A token of an existing session in which something is not as it should be."""
    _user, good = inside(app, factories.user_with_token)
    claims = jwt.decode(good, options={"verify_signature": False})
    claims = {name: value for name, value in {**claims, **changes}.items() if name not in remove}
    secret = app.config["JWT_SECRET_KEY"] if key is None else key
    return jwt.encode(claims, secret or None, algorithm=algorithm)


BAD_TOKENS = {
    "expired": {"exp": 1_700_000_000},
    "without an end": {"remove": ["exp"]},
    "signed with another key": {"key": "another key of more than thirty-two bytes"},
    "not signed at all": {"key": "", "algorithm": "none"},
    "signed in another way": {"algorithm": "HS384"},
    "for another audience": {"aud": "elsewhere"},
    "without an audience": {"remove": ["aud"]},
    "of another issuer": {"iss": "elsewhere"},
    "without an issuer": {"remove": ["iss"]},
    "for the pages": {"aud": "shopswift-pages"},
    "of no kind": {"remove": ["type"]},
    "with a short key": {"key": "a"},
    "with no key": {"key": b"\0"},
    "not valid yet": {"nbf": 4_000_000_000},
    "without a subject": {"remove": ["sub"]},
    "with a number as subject": {"sub": 1},
    "of another user": {"sub": "999999"},
    "without a session": {"remove": ["sid"]},
    "with a session that is no number": {"sid": "1"},
    "with a session that is true": {"sid": True},
    "of an unknown session": {"sid": 999_999},
    "of a session out of range": {"sid": 2**63},
    "of a negative session": {"sid": -1},
    "of session number zero": {"sid": 0},
    "of another kind": {"type": "refresh"},
    "of an unknown kind": {"type": "admin"},
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("kind", BAD_TOKENS)
@pytest.mark.parametrize("path", ["/api/users/me", "/api/products"])
def test_a_token_that_cannot_be_believed_is_401_even_where_anybody_may_come(
    app, anyone, kind, path
):
    token = forged(app, **BAD_TOKENS[kind])

    response = anyone.get(path, headers=bearer(token))

    assert response.status_code == 401
    assert response.json["code"] == "invalid_token"
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "Bearer x", "Bearer\tx", "Bearer a.b.c", "bearer x", "Bearer x y", "Bearer é.é.é",
     "Bearer " + "x" * 5000, "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer bnVsbA.bnVsbA.bnVsbA"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/users/me", "/api/products", "/api/auth/refresh"])
def test_a_broken_bearer_is_401(anyone, value, path):
    method = "POST" if path.endswith("refresh") else "GET"

    response = anyone.call(method, path, headers={"Authorization": value})

    assert response.status_code == 401
    assert "WWW-Authenticate" in response.headers


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_written_in_any_case(anyone, account, scheme):
    tokens = login(anyone).json

    mine = anyone.get(
        "/api/users/me", headers={"Authorization": f"{scheme} {tokens['access_token']}"}
    )
    fresh = anyone.post(
        "/api/auth/refresh", headers={"Authorization": f"{scheme} {tokens['refresh_token']}"}
    )

    assert (mine.status_code, fresh.status_code) == (200, 200)


def test_a_tampered_token_is_401(app, anyone):
    _user, token = inside(app, factories.user_with_token)
    header, claims, signature = token.split(".")
    swapped = "B" if signature[5] == "A" else "A"

    response = me(anyone, f"{header}.{claims}.{signature[:5]}{swapped}{signature[6:]}")

    assert response.status_code == 401


@pytest.mark.parametrize(
    "changes", [{"remove": ["gen"]}, {"gen": "0"}, {"gen": True}, {"gen": 2**63}, {"gen": -1}, {"sid": 2**63},
                {"sid": 0}, {"gen": 1}, {"exp": 1_700_000_000}]
)  # fmt: skip
def test_a_refresh_token_that_cannot_be_believed_is_401(app, anyone, changes):
    token = forged(app, **{"type": "refresh", "gen": 0, **changes})

    assert refresh(anyone, token).status_code == 401


def test_the_tokens_that_the_tests_forge_are_believed_where_nothing_is_wrong_with_them(app, anyone):
    """Otherwise a wrong claim would not be why the others are refused."""
    for path in ("/api/users/me", "/api/products"):
        assert anyone.get(path, headers=bearer(forged(app))).status_code == 200

    assert refresh(anyone, forged(app, type="refresh", gen=0)).status_code == 200


def test_only_sessions_that_expired_more_than_a_day_ago_are_swept_away(app):
    """Others are still in use, or tell that a network is known to the account."""
    user = make_user(app)
    ends = {"long ago": -25, "yesterday": -23, "just now": -0.01, "soon": 0.01, "later": 700}

    def begin(hours):
        return in_transaction(lambda: session_service.begin(user.id, timedelta(hours=hours))).id

    ids = {name: inside(app, begin, hours) for name, hours in ends.items()}
    for _ in range(cleanup.INTERVAL):
        inside(app, begin, 1)

    left = {session.id for session in rows(app, Session)}
    assert {name for name, id_ in ids.items() if id_ in left} == {*ends} - {"long ago"}
    assert len(left) == len(ends) - 1 + cleanup.INTERVAL


def test_a_session_ends_by_itself(app, anyone, account):
    tokens = login(anyone).json
    for session in rows(app, Session):
        change(app, session, expires_at=utc_now() - timedelta(seconds=1))

    assert me(anyone, tokens["access_token"]).status_code == 401
    assert refresh(anyone, tokens["refresh_token"]).status_code == 401


def test_sessions_long_expired_are_swept_by_the_next_sign_ins(app, anyone, account):
    login(anyone)
    with time_machine.travel(utc_now() + timedelta(days=32), tick=False):
        for _ in range(cleanup.INTERVAL):
            login(anyone)

    left = rows(app, Session)
    assert len(left) == cleanup.INTERVAL
    assert all(session.expires_at > utc_now() + timedelta(days=60) for session in left)


def test_other_schemes_of_authorization_are_no_sign_in(anyone):
    response = anyone.get("/api/users/me", headers={"Authorization": "Basic YTpi"})

    assert response.status_code == 401


# --- addresses that earlier releases took for one ---


@pytest.fixture
def stored_before(app):
    """An account that an earlier release made: `straße` was folded to `strasse`."""
    return make_user(app, email="ann@straße.example", email_key="ann@strasse.example")


def test_an_account_under_a_former_key_signs_in(anyone, stored_before):
    assert login(anyone, email="ANN@STRAẞE.example").status_code == 200
    assert login(anyone, email="ann@xn--strae-oqa.example").status_code == 200
    assert login(anyone, email="ann@strasse.example").status_code == 401


def test_the_address_of_an_account_under_a_former_key_is_taken(anyone, stored_before):
    again = {"email": "ann@straße.example", "password": PASSWORD}

    assert anyone.post("/api/auth/register", json=again).json["code"] == "email_taken"


def test_who_has_the_other_mailbox_gets_an_account_of_their_own(app, anyone, stored_before):
    other = {"email": "ann@strasse.example", "password": "another phrase altogether"}

    assert anyone.post("/api/auth/register", json=other).status_code == 201
    assert login(anyone, **other).status_code == 200
    assert login(anyone, email="ann@straße.example").status_code == 200
    keys = sorted(user.email_key for user in rows(app, User))
    assert keys == ["ann@strasse.example", "ann@straße.example"]


def test_staff_find_an_account_under_a_former_key_by_either_spelling(admin, stored_before):
    for q in ("straße", "strasse", "STRASSE.example"):
        assert admin.get("/api/users", query_string={"q": q}).json["total"] == 1, q


@pytest.mark.parametrize(
    "password", ["ShopSwift-26!", "ann@example.com", "Anne-Elliot1", "mugmugmug"]
)
def test_a_password_that_says_what_is_known_anyway_is_refused(anyone, password):
    person = {"email": EMAIL, "first_name": "Anne", "last_name": "Elliot", "password": password}

    response = anyone.post("/api/auth/register", json=person)

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["password"]
