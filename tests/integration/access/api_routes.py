"""The API's lines: who is answered what, at a path or with a body that names things of A."""

import io
from typing import Any

from PIL import Image

from tests.factories import PASSWORD
from tests.integration.access.table import routes
from tests.integration.shopping import ADDRESS

# A new route needs a line here, and below what a caller sends there, if anything.
TABLE = """
# method     route                                     anonymous owner other admin deactivated expired forged
# app/api/auth.py
POST         /api/auth/register                              201   201   201   201         401     401    401
POST         /api/auth/login                                 200   200   200   200         401     401    401
POST         /api/auth/mfa                                   401   401   401   401         401     401    401
POST         /api/auth/refresh                               401   200   200   200         401     401    401
POST         /api/auth/logout                                401   204   204   204         401     401    401
# app/api/recovery.py: with a token that nobody has
POST         /api/auth/password/forgot                       202   202   202   202         401     401    401
POST         /api/auth/password/reset                        422   422   422   422         401     401    401
POST         /api/auth/email/verify                          422   422   422   422         401     401    401
# app/api/users.py
GET          /api/users/me                                   401   200   200   200         401     401    401
PATCH,PUT    /api/users/me                                   401   200   200   200         401     401    401
DELETE       /api/users/me                                   401   204   204   409         401     401    401
POST         /api/users/me/password                          401   204   204   204         401     401    401
POST         /api/users/me/email                             401   202   202   202         401     401    401
DELETE       /api/users/me/sessions                          401   204   204   204         401     401    401
GET          /api/users/me/export                            401   200   200   200         401     401    401
GET          /api/users/me/sessions                          401   200   200   200         401     401    401
DELETE       /api/users/me/sessions/<session_id>             401   204   404   404         401     401    401
GET          /api/users/me/addresses                         401   200   200   200         401     401    401
POST         /api/users/me/addresses                         401   201   201   201         401     401    401
GET          /api/users/me/addresses/<address_id>            401   200   404   404         401     401    401
PATCH,PUT    /api/users/me/addresses/<address_id>            401   200   404   404         401     401    401
DELETE       /api/users/me/addresses/<address_id>            401   204   404   404         401     401    401
GET          /api/users                                      401   403   403   200         401     401    401
GET          /api/users/<user_id>                            401   403   403   200         401     401    401
PATCH,PUT    /api/users/<user_id>                            401   403   403   200         401     401    401
POST         /api/users/<user_id>/release                    401   403   403   409         401     401    401
# app/api/mfa.py: nobody has a second factor, or has begun to set one up
GET          /api/users/me/mfa                               401   200   200   200         401     401    401
POST         /api/users/me/mfa                               401   200   200   200         401     401    401
POST         /api/users/me/mfa/confirm                       401   409   409   409         401     401    401
POST         /api/users/me/mfa/recovery-codes                401   409   409   409         401     401    401
DELETE       /api/users/me/mfa                               401   409   409   409         401     401    401
DELETE       /api/users/<user_id>/mfa                        401   403   403   409         401     401    401
# app/api/settings.py
GET          /api/settings                                   200   200   200   200         401     401    401
PATCH,PUT    /api/settings                                   401   403   403   200         401     401    401
# app/api/tax_rates.py
GET          /api/tax-rates                                  401   403   403   200         401     401    401
POST         /api/tax-rates                                  401   403   403   201         401     401    401
GET          /api/tax-rates/<rate_id>                        401   403   403   200         401     401    401
PATCH,PUT    /api/tax-rates/<rate_id>                        401   403   403   200         401     401    401
DELETE       /api/tax-rates/<rate_id>                        401   403   403   204         401     401    401
# app/api/shipping.py
GET          /api/shipping-zones                             401   403   403   200         401     401    401
POST         /api/shipping-zones                             401   403   403   201         401     401    401
GET          /api/shipping-zones/<zone_id>                   401   403   403   200         401     401    401
PATCH,PUT    /api/shipping-zones/<zone_id>                   401   403   403   200         401     401    401
DELETE       /api/shipping-zones/<zone_id>                   401   403   403   409         401     401    401
GET          /api/shipping-methods                           200   200   200   200         401     401    401
POST         /api/shipping-methods                           401   403   403   201         401     401    401
GET          /api/shipping-methods/<method_id>               401   403   403   200         401     401    401
PATCH,PUT    /api/shipping-methods/<method_id>               401   403   403   200         401     401    401
DELETE       /api/shipping-methods/<method_id>               401   403   403   204         401     401    401
# app/api/promotions.py
GET          /api/promotions                                 401   403   403   200         401     401    401
POST         /api/promotions                                 401   403   403   201         401     401    401
GET          /api/promotions/<promotion_id>                  401   403   403   200         401     401    401
PATCH,PUT    /api/promotions/<promotion_id>                  401   403   403   200         401     401    401
DELETE       /api/promotions/<promotion_id>                  401   403   403   204         401     401    401
GET          /api/promotions/<promotion_id>/codes            401   403   403   200         401     401    401
POST         /api/promotions/<promotion_id>/codes            401   403   403   201         401     401    401
DELETE       /api/promotions/<promotion_id>/codes/<code>     401   403   403   204         401     401    401
# app/api/categories.py
GET          /api/categories                                 200   200   200   200         401     401    401
POST         /api/categories                                 401   403   403   201         401     401    401
GET          /api/categories/<category>                      200   200   200   200         401     401    401
PATCH,PUT    /api/categories/<category>                      401   403   403   200         401     401    401
DELETE       /api/categories/<category>                      401   403   403   204         401     401    401
# app/api/products.py
GET          /api/products                                   200   200   200   200         401     401    401
POST         /api/products                                   401   403   403   201         401     401    401
GET          /api/products/<product>                         200   200   200   200         401     401    401
PATCH,PUT    /api/products/<product>                         401   403   403   200         401     401    401
DELETE       /api/products/<product>                         401   403   403   204         401     401    401
PATCH,PUT    /api/products/<product>/variants/<variant_id>   401   403   403   200         401     401    401
# app/api/images.py
POST         /api/products/<product>/images                  401   403   403   201         401     401    401
DELETE       /api/products/<product>/images/<image>          401   403   403   204         401     401    401
# app/api/stock.py
POST         /api/products/<product>/stock                   401   403   403   200         401     401    401
GET          /api/products/<product>/stock                   401   403   403   200         401     401    401
# app/api/events.py
GET          /api/events                                     401   403   403   200         401     401    401
# app/api/webhooks.py
GET          /api/webhook-endpoints                          401   403   403   200         401     401    401
POST         /api/webhook-endpoints                          401   403   403   201         401     401    401
GET          /api/webhook-endpoints/<endpoint_id>            401   403   403   200         401     401    401
PATCH,PUT    /api/webhook-endpoints/<endpoint_id>            401   403   403   200         401     401    401
DELETE       /api/webhook-endpoints/<endpoint_id>            401   403   403   204         401     401    401
POST         /api/webhook-endpoints/<endpoint_id>/rotate     401   403   403   200         401     401    401
GET          /api/webhook-endpoints/<endpoint_id>/deliveries 401   403   403   200         401     401    401
POST         /api/webhook-endpoints/deliveries/<delivery_id>/resend 401 403 403 200         401     401    401
# app/api/cart.py: callers without an account have carts of their own, found by X-Cart-Token
GET          /api/cart                                       200   200   200   200         401     401    401
DELETE       /api/cart                                       204   204   204   204         401     401    401
POST         /api/cart/codes                                 422   200   200   200         401     401    401
DELETE       /api/cart/codes/<code>                          404   404   404   404         401     401    401
POST         /api/cart/quote                                 422   200   200   200         401     401    401
POST         /api/cart/items                                 201   201   201   201         401     401    401
PATCH,PUT    /api/cart/items/<item_id>                       404   200   404   404         401     401    401
DELETE       /api/cart/items/<item_id>                       404   200   404   404         401     401    401
# app/api/orders.py: with A's address in the body
POST         /api/orders                                     401   201   422   422         401     401    401
GET          /api/orders                                     401   200   200   200         401     401    401
GET          /api/orders/<order>                             401   200   404   200         401     401    401
POST         /api/orders/<order>/cancel                      401   200   404   200         401     401    401
PATCH,PUT    /api/orders/<order>/status                      401   403   403   200         401     401    401
# app/api/docs.py, app/api/health.py: the same for everybody who does not send a broken token
GET          /api/openapi.json                               200   200   200   200         401     401    401
GET          /api/docs                                       200   200   200   200         401     401    401
GET          /api/docs/assets/<name>                         200   200   200   200         401     401    401
GET          /healthz/live                                   200   200   200   200         401     401    401
GET          /healthz/ready                                  200   200   200   200         401     401    401
# app/api/metrics.py: from this machine
GET          /metrics                                        200   200   200   200         401     401    401
"""


def body(**facts: Any) -> Any:
    """The same JSON for whoever calls."""
    return lambda _world: {"json": facts}


def picture(_world: Any) -> dict[str, Any]:
    """A small picture, as a form sends it."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    file.seek(0)
    return {"data": {"file": (file, "mug.png")}}


BODIES = {
    "POST /api/auth/register": lambda world: {
        "json": {"email": world.unused(), "password": PASSWORD}
    },
    "POST /api/auth/login": lambda world: {"json": {"email": world.email, "password": PASSWORD}},
    "POST /api/auth/mfa": body(mfa_token="nobodys", code="123456"),
    "POST /api/auth/password/forgot": lambda world: {"json": {"email": world.email}},
    "POST /api/auth/password/reset": body(
        token="nobodys", new_password="a rather different phrase"
    ),
    "POST /api/auth/email/verify": body(token="nobodys"),
    "POST /api/users/me/email": lambda world: {
        "json": {"new_email": world.unused(), "password": PASSWORD}
    },
    "POST /api/users/me/mfa": body(password=PASSWORD),
    "POST /api/users/me/mfa/confirm": body(code="123456"),
    "POST /api/users/me/mfa/recovery-codes": body(password=PASSWORD),
    "DELETE /api/users/me/mfa": body(password=PASSWORD),
    "PATCH,PUT /api/users/me": body(first_name="Someone"),
    "DELETE /api/users/me": body(password=PASSWORD),
    "POST /api/users/me/password": body(
        current_password=PASSWORD, new_password="a rather different phrase"
    ),
    "POST /api/users/me/addresses": body(**ADDRESS),
    "PATCH,PUT /api/users/me/addresses/<address_id>": body(city="York"),
    "PATCH,PUT /api/users/<user_id>": body(role="admin", is_active=False),
    "PATCH,PUT /api/settings": body(name="Mine", hold_minutes=1),
    "POST /api/webhook-endpoints": body(url="https://erp.example/"),
    "PATCH,PUT /api/webhook-endpoints/<endpoint_id>": body(description="Another"),
    "POST /api/tax-rates": body(name="VAT", country="FR", rate="20"),
    "PATCH,PUT /api/tax-rates/<rate_id>": body(rate="7"),
    "POST /api/shipping-zones": body(name="France", places=[{"country": "FR"}]),
    "PATCH,PUT /api/shipping-zones/<zone_id>": body(name="Nearby"),
    "POST /api/shipping-methods": lambda world: {
        "json": {"zone_id": world.zone_id, "name": "Parcel", "rates": [{"price": "4.95"}]}
    },
    "PATCH,PUT /api/shipping-methods/<method_id>": body(name="Letter"),
    "POST /api/promotions": body(name="Tenth", kind="percentage", value="10"),
    "PATCH,PUT /api/promotions/<promotion_id>": body(name="Ninth"),
    "POST /api/promotions/<promotion_id>/codes": body(count=2),
    "POST /api/cart/codes": lambda world: {"json": {"code": world.code}},
    "POST /api/categories": body(name="Books"),
    "PATCH,PUT /api/categories/<category>": body(name="Books"),
    "POST /api/products": body(name="Lamp", price="10.00"),
    "PATCH,PUT /api/products/<product>": body(price="0.01"),
    "PATCH,PUT /api/products/<product>/variants/<variant_id>": body(price="0.01"),
    "POST /api/products/<product>/images": picture,
    "POST /api/products/<product>/stock": body(delta=1, reason="found one"),
    "POST /api/cart/items": lambda world: {"json": {"product_id": world.product.id}},
    "PATCH,PUT /api/cart/items/<item_id>": body(quantity=3),
    "POST /api/orders": lambda world: {"json": {"address_id": world.address_id}},
    "PATCH,PUT /api/orders/<order>/status": body(status="processing"),
}  # fmt: skip

USED_UP = {"POST /api/orders/<order>/cancel"}
"""What cannot be done twice: each who may do it finds the owner's things anew."""

API_ROUTES = routes(TABLE, BODIES)
