"""The pages' lines, and those of files; people come with their sign-in cookie, and with our forms."""

import io
from typing import Any

from tests.factories import PASSWORD
from tests.integration.access.api_routes import picture
from tests.integration.access.table import routes
from tests.integration.shopping import ADDRESS

# A new route needs a line here, and below what its form sends, if anything. 401 stands for being
# sent to the sign-in page; 303 for being sent on after a form. A cookie that is not believed makes
# an anonymous visitor, whose cart is empty.
TABLE = """
# method  route                                       anonymous owner other admin deactivated expired forged
# files
GET       /static/<filename>                                200   200   200   200         200     200    200
GET       /media/<name>                                     200   200   200   200         200     200    200
# app/pages/shop/storefront.py
GET       /                                                 200   200   200   200         200     200    200
GET       /categories/<slug>                                200   200   200   200         200     200    200
GET       /products/<slug>                                  200   200   200   200         200     200    200
GET       /search                                           200   200   200   200         200     200    200
# app/pages/shop/seo.py
GET       /pictures/<slug>.svg                              200   200   200   200         200     200    200
GET       /robots.txt                                       200   200   200   200         200     200    200
GET       /sitemap.xml                                      200   200   200   200         200     200    200
GET       /sitemaps/<part>.xml                              200   200   200   200         200     200    200
# app/pages/account/sign_in.py: whoever is signed in is sent on to the account
GET       /login                                            200   303   303   303         200     200    200
POST      /login                                            303   303   303   303         303     303    303
GET       /login/code                                       401   303   303   303         401     401    401
POST      /login/code                                       401   303   303   303         401     401    401
GET       /register                                         200   303   303   303         200     200    200
POST      /register                                         303   303   303   303         303     303    303
POST      /logout                                           401   303   303   303         401     401    401
# app/pages/account/recovery.py: without a link, or with a token that nobody has
GET       /password/forgot                                  200   200   200   200         200     200    200
POST      /password/forgot                                  303   303   303   303         303     303    303
GET       /password/reset                                   303   303   303   303         303     303    303
POST      /password/reset                                   422   422   422   422         422     422    422
GET       /email/verify                                     303   303   303   303         303     303    303
POST      /email/verify                                     422   422   422   422         422     422    422
# app/pages/account/email.py
GET       /account/email                                    401   200   200   200         401     401    401
POST      /account/email                                    401   303   303   303         401     401    401
POST      /account/email/send-again                         401   303   303   303         401     401    401
# app/pages/shop/cart.py
GET       /cart                                             200   200   200   200         200     200    200
POST      /cart/items                                       303   303   303   303         303     303    303
POST      /cart/items/<item_id>                             404   303   404   404         404     404    404
POST      /cart/items/<item_id>/remove                      404   303   404   404         404     404    404
POST      /cart/codes                                       303   303   303   303         303     303    303
POST      /cart/codes/remove                                303   303   303   303         303     303    303
# app/pages/shop/checkout.py: with A's address; an empty cart sends back to the cart
GET       /checkout                                         303   200   200   200         303     303    303
POST      /checkout                                         303   303   404   404         303     303    303
GET       /checkout/review                                  303   303   303   303         303     303    303
POST      /checkout/order                                   303   303   404   404         303     303    303
GET       /checkout/order                                   303   303   303   303         303     303    303
# app/pages/account/orders.py
GET       /orders/<number>                                  404   200   404   200         404     404    404
POST      /orders/<number>/cancel                           404   303   404   303         404     404    404
# app/pages/account/overview.py
GET       /account                                          401   200   200   200         401     401    401
GET       /account/orders                                   401   200   200   200         401     401    401
GET       /account/profile                                  401   200   200   200         401     401    401
POST      /account/profile                                  401   303   303   303         401     401    401
GET       /account/password                                 401   200   200   200         401     401    401
POST      /account/password                                 401   303   303   303         401     401    401
POST      /account/sign-out-everywhere                      401   303   303   303         401     401    401
GET       /account/export                                   401   200   200   200         401     401    401
GET       /account/close                                    401   200   200   200         401     401    401
POST      /account/close                                    401   303   303   409         401     401    401
# app/pages/account/security.py
GET       /account/security                                 401   200   200   200         401     401    401
POST      /account/security/sessions/<session_id>/end       401   303   404   404         401     401    401
POST      /account/security/end-others                      401   303   303   303         401     401    401
# app/pages/account/second_factor.py: nobody has one, or has begun to set one up
GET       /account/security/second-factor                   401   200   200   200         401     401    401
POST      /account/security/second-factor                   401   303   303   303         401     401    401
GET       /account/security/second-factor/confirm           401   303   303   303         401     401    401
POST      /account/security/second-factor/confirm           401   303   303   303         401     401    401
GET       /account/security/second-factor/recovery-codes    401   200   200   200         401     401    401
POST      /account/security/second-factor/recovery-codes    401   303   303   303         401     401    401
GET       /account/security/second-factor/remove            401   200   200   200         401     401    401
POST      /account/security/second-factor/remove            401   303   303   303         401     401    401
# app/pages/account/addresses.py
GET       /account/addresses                                401   200   200   200         401     401    401
GET       /account/addresses/new                            401   200   200   200         401     401    401
POST      /account/addresses/new                            401   303   303   303         401     401    401
GET       /account/addresses/<address_id>                   401   200   404   404         401     401    401
POST      /account/addresses/<address_id>                   401   303   404   404         401     401    401
POST      /account/addresses/<address_id>/remove            401   303   404   404         401     401    401
# app/pages/admin
GET       /admin                                            401   403   403   200         401     401    401
GET       /admin/orders                                     401   403   403   200         401     401    401
POST      /admin/orders                                     401   403   403   303         401     401    401
GET       /admin/orders/<number>                            401   403   403   200         401     401    401
POST      /admin/orders/<number>                            401   403   403   303         401     401    401
GET       /admin/orders/<number>/packing-slip               401   403   403   200         401     401    401
# app/pages/admin/guest_orders.py
GET       /admin/guest-orders                               401   403   403   200         401     401    401
POST      /admin/guest-orders/release                       401   403   403   303         401     401    401
# app/pages/admin/catalogue/products.py: no variant is off sale
GET       /admin/products                                   401   403   403   200         401     401    401
GET       /admin/products/new                               401   403   403   200         401     401    401
POST      /admin/products/new                               401   403   403   303         401     401    401
GET       /admin/products/<product>                         401   403   403   200         401     401    401
POST      /admin/products/<product>                         401   403   403   303         401     401    401
POST      /admin/products/<product>/on-sale                 401   403   403   303         401     401    401
POST      /admin/products/<product>/free-sku                401   403   403   422         401     401    401
GET       /admin/products/<product>/delete                  401   403   403   200         401     401    401
POST      /admin/products/<product>/delete                  401   403   403   303         401     401    401
# app/pages/admin/catalogue/product_pictures.py
GET       /admin/products/<product>/pictures                401   403   403   200         401     401    401
POST      /admin/products/<product>/pictures                401   403   403   303         401     401    401
POST      /admin/products/<product>/pictures/arrange        401   403   403   303         401     401    401
# app/pages/admin/catalogue/product_stock.py
GET       /admin/products/<product>/stock                   401   403   403   200         401     401    401
POST      /admin/products/<product>/stock                   401   403   403   303         401     401    401
# app/pages/admin/catalogue/categories.py: the category still has a product
GET       /admin/categories                                 401   403   403   200         401     401    401
GET       /admin/categories/new                             401   403   403   200         401     401    401
POST      /admin/categories/new                             401   403   403   303         401     401    401
GET       /admin/categories/<category>                      401   403   403   200         401     401    401
POST      /admin/categories/<category>                      401   403   403   303         401     401    401
GET       /admin/categories/<category>/delete               401   403   403   200         401     401    401
POST      /admin/categories/<category>/delete               401   403   403   409         401     401    401
# app/pages/admin/customers.py
GET       /admin/customers                                  401   403   403   200         401     401    401
GET       /admin/customers/<user_id>                        401   403   403   200         401     401    401
POST      /admin/customers/<user_id>                        401   403   403   303         401     401    401
GET       /admin/customers/<user_id>/release                401   403   403   200         401     401    401
POST      /admin/customers/<user_id>/release                401   403   403   303         401     401    401
GET       /admin/customers/<user_id>/second-factor          401   403   403   200         401     401    401
POST      /admin/customers/<user_id>/second-factor          401   403   403   303         401     401    401
# app/pages/admin/erasure.py
GET       /admin/erasure                                    401   403   403   200         401     401    401
POST      /admin/erasure                                    401   403   403   200         401     401    401
# app/pages/admin/catalogue/imports.py
GET       /admin/import                                     401   403   403   200         401     401    401
POST      /admin/import                                     401   403   403   303         401     401    401
GET       /admin/import/<job_id>                            401   403   403   200         401     401    401
POST      /admin/import/<job_id>                            401   403   403   303         401     401    401
POST      /admin/import/<job_id>/continue                   401   403   403   303         401     401    401
POST      /admin/import/<job_id>/undo                       401   403   403   303         401     401    401
GET       /admin/export.csv                                 401   403   403   200         401     401    401
# app/pages/admin/jobs.py
GET       /admin/jobs                                       401   403   403   200         401     401    401
POST      /admin/jobs/<job_id>/run                          401   403   403   303         401     401    401
POST      /admin/jobs/<job_id>/drop                         401   403   403   303         401     401    401
# app/pages/admin/webhooks.py
GET       /admin/webhooks                                   401   403   403   200         401     401    401
GET       /admin/webhooks/new                               401   403   403   200         401     401    401
POST      /admin/webhooks/new                               401   403   403   200         401     401    401
GET       /admin/webhooks/<endpoint_id>                     401   403   403   200         401     401    401
POST      /admin/webhooks/<endpoint_id>                     401   403   403   303         401     401    401
POST      /admin/webhooks/<endpoint_id>/rotate              401   403   403   200         401     401    401
POST      /admin/webhooks/<endpoint_id>/delete              401   403   403   303         401     401    401
POST      /admin/webhooks/<endpoint_id>/deliveries/<delivery_id>/resend 401 403 403 303     401     401    401
# app/pages/admin/mail.py: a mail that waits has no file yet
GET       /admin/mail                                       401   403   403   200         401     401    401
GET       /admin/mail/<mail_id>                             401   403   403   200         401     401    401
GET       /admin/mail/<mail_id>/html                        401   403   403   404         401     401    401
GET       /admin/mail/templates/<template>                  401   403   403   200         401     401    401
GET       /admin/mail/templates/<template>/html             401   403   403   200         401     401    401
# app/pages/admin/security.py
GET       /admin/security                                   401   403   403   200         401     401    401
# app/pages/admin/pricing/taxes.py
GET       /admin/settings/taxes                             401   403   403   200         401     401    401
POST      /admin/settings/taxes/starter-set                 401   403   403   303         401     401    401
GET       /admin/settings/taxes/new                         401   403   403   200         401     401    401
POST      /admin/settings/taxes/new                         401   403   403   303         401     401    401
GET       /admin/settings/taxes/<rate_id>                   401   403   403   200         401     401    401
POST      /admin/settings/taxes/<rate_id>                   401   403   403   303         401     401    401
POST      /admin/settings/taxes/<rate_id>/delete            401   403   403   303         401     401    401
# app/pages/admin/pricing/shipping.py: the zone has a method
GET       /admin/settings/shipping                          401   403   403   200         401     401    401
GET       /admin/settings/shipping/zones/new                401   403   403   200         401     401    401
POST      /admin/settings/shipping/zones/new                401   403   403   303         401     401    401
GET       /admin/settings/shipping/zones/<zone_id>          401   403   403   200         401     401    401
POST      /admin/settings/shipping/zones/<zone_id>          401   403   403   303         401     401    401
POST      /admin/settings/shipping/zones/<zone_id>/delete   401   403   403   409         401     401    401
GET       /admin/settings/shipping/methods/new              401   403   403   200         401     401    401
POST      /admin/settings/shipping/methods/new              401   403   403   303         401     401    401
GET       /admin/settings/shipping/methods/<method_id>      401   403   403   200         401     401    401
POST      /admin/settings/shipping/methods/<method_id>      401   403   403   303         401     401    401
POST      /admin/settings/shipping/methods/<method_id>/delete 401 403   403   303         401     401    401
# app/pages/admin/pricing/promotions.py
GET       /admin/promotions                                 401   403   403   200         401     401    401
GET       /admin/promotions/new                             401   403   403   200         401     401    401
POST      /admin/promotions/new                             401   403   403   303         401     401    401
GET       /admin/promotions/<promotion_id>                  401   403   403   200         401     401    401
POST      /admin/promotions/<promotion_id>                  401   403   403   303         401     401    401
POST      /admin/promotions/<promotion_id>/end              401   403   403   303         401     401    401
POST      /admin/promotions/<promotion_id>/duplicate        401   403   403   303         401     401    401
POST      /admin/promotions/<promotion_id>/delete           401   403   403   303         401     401    401
GET       /admin/promotions/<promotion_id>/preview          401   403   403   200         401     401    401
# app/pages/admin/pricing/promotion_codes.py
POST      /admin/promotions/<promotion_id>/codes            401   403   403   303         401     401    401
POST      /admin/promotions/<promotion_id>/codes/remove     401   403   403   303         401     401    401
GET       /admin/promotions/<promotion_id>/codes/export.csv 401   403   403   200         401     401    401
# app/pages/admin/reports.py
GET       /admin/reports                                    401   403   403   200         401     401    401
GET       /admin/reports/sales.csv                          401   403   403   200         401     401    401
GET       /admin/reports/taxes.csv                          401   403   403   200         401     401    401
# app/pages/admin/settings.py
GET       /admin/settings                                   401   403   403   200         401     401    401
POST      /admin/settings                                   401   403   403   303         401     401    401
POST      /admin/settings/later                             401   403   403   303         401     401    401
# app/pages/admin/trail.py
GET       /admin/audit-trail                                401   403   403   200         401     401    401
"""


def form(**fields: Any) -> Any:
    """The same fields from whoever calls."""
    return lambda _world: {"data": dict(fields)}


def _variant(world: Any) -> str:
    return str(world.product.variants[0].id)


def _method(world: Any) -> dict[str, str]:
    return {"name": "Sled", "zone_id": str(world.zone_id), "basis": "flat", "rates.0.price": "5"}


VARIANT = {"variants.0.price": "10", "variants.0.on": "1"}
BODIES = {
    "POST /login": lambda world: {"data": {"email": world.email, "password": PASSWORD}},
    "POST /register": lambda world: {"data": {"email": world.unused(), "password": PASSWORD}},
    "POST /cart/codes": lambda world: {"data": {"code": world.code}},
    "POST /cart/codes/remove": lambda world: {"data": {"code": world.code}},
    "POST /cart/items": lambda world: {"data": {"variant_id": world.product.variants[0].id}},
    "POST /cart/items/<item_id>": form(quantity="3"),
    "POST /checkout": lambda world: {"data": {"address_id": world.address_id}},
    "POST /checkout/order": lambda world: {"data": {"address_id": world.address_id}},
    "POST /account/profile": form(first_name="Someone"),
    "POST /account/password": form(
        current_password=PASSWORD, new_password="a rather different phrase"
    ),
    "POST /account/close": form(password=PASSWORD),
    "POST /admin/settings/taxes/starter-set": form(set="ch"),
    "POST /admin/settings/taxes/new": lambda world: {
        "data": {"name": world.unused()[:60], "country": "AQ", "rate": "19"}
    },
    "POST /admin/settings/taxes/<rate_id>": form(name="VAT", country="AQ", region="R9", rate="19"),
    "POST /admin/settings/shipping/zones/new": form(name="Nowhere"),
    "POST /admin/settings/shipping/zones/<zone_id>": form(name="Ice"),
    "POST /admin/settings/shipping/methods/new": lambda world: {"data": _method(world)},
    "POST /admin/settings/shipping/methods/<method_id>": lambda world: {"data": _method(world)},
    "POST /admin/promotions/new": form(name="Tenth", kind="percentage", value="10"),
    "POST /admin/promotions/<promotion_id>": form(name="Tenth", kind="percentage", value="10"),
    "POST /admin/promotions/<promotion_id>/codes": form(count="2"),
    "POST /admin/promotions/<promotion_id>/codes/remove": lambda world: {
        "data": {"code_id": world.code}
    },
    "POST /admin/webhooks/<endpoint_id>": form(url="https://erp.example/", description="Another"),
    "POST /admin/webhooks/new": form(url="https://erp.example/"),
    "POST /password/forgot": lambda world: {"data": {"email": world.email}},
    "POST /password/reset": form(token="nobodys", new_password="a rather different phrase"),
    "POST /email/verify": form(token="nobodys"),
    "POST /account/email": lambda world: {
        "data": {"new_email": world.unused(), "password": PASSWORD}
    },
    "POST /login/code": form(code="123456"),
    "POST /account/security/second-factor": form(password=PASSWORD),
    "POST /account/security/second-factor/confirm": form(code="123456"),
    "POST /account/security/second-factor/recovery-codes": form(password=PASSWORD),
    "POST /account/security/second-factor/remove": form(password=PASSWORD),
    "POST /account/addresses/new": form(**ADDRESS),
    "POST /account/addresses/<address_id>": form(**ADDRESS),
    "POST /admin/customers/<user_id>": form(is_active="true"),
    "POST /admin/customers/<user_id>/release": form(checked="on"),
    "POST /admin/customers/<user_id>/second-factor": form(checked="on"),
    "POST /admin/erasure": form(email="nobody@example.com", name=""),
    "POST /admin/import": lambda _world: {
        "data": {"file": (io.BytesIO(b"sku,name,price\nA,One,1\n"), "new.csv")}
    },
    "POST /admin/products/new": form(name="Another", **VARIANT),
    "POST /admin/products/<product>": lambda world: {
        "data": {"name": "Another", "version": "1", **VARIANT, "variants.0.id": _variant(world)}
    },
    "POST /admin/products/<product>/pictures": picture,
    "POST /admin/products/<product>/pictures/arrange": form(version="1"),
    "POST /admin/products/<product>/stock": lambda world: {
        "data": {"number": "1", "reason": "delivery", f"seen-{_variant(world)}": "10"}
    },
    "POST /admin/products/<product>/free-sku": form(free_sku="OLD"),
    "POST /admin/products/<product>/delete": form(version="1"),
    "POST /admin/categories/new": form(name="Another"),
    "POST /admin/categories/<category>": lambda world: {
        "data": {"name": "Another", "version": world.category.version}
    },
    "POST /admin/settings": form(
        version="1",
        name="Mine",
        hold_minutes="1",
        prepayment_days="1",
        return_days="0",
        invoice_days="0",
    ),
    "POST /admin/orders/<number>": form(status="processing", note=""),
}

PAGES_USED_UP = {"POST /orders/<number>/cancel"}
PAGE_ROUTES = routes(TABLE, BODIES, is_page=True)
