"""Mails to staff."""

from datetime import datetime, timezone
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import func, select

from app.domain.people import user_agents
from app.extensions import db
from app.models import Job, Product, Session, Variant, WebhookEndpoint
from app.models.availability import IS_IN_STOCK, IS_PURCHASABLE
from app.web.mails.links import link
from app.web.mails.templates import MailTemplate, NoSubject, Values, add_template

MAX_ERROR = 300


class ArticleOfMail(NamedTuple):
    """An article as mails to staff list it."""

    name: str
    options: str
    sku: str


def load_stock_out(context: Values) -> Values:
    """The articles of an event that are still sold out."""
    query = (
        select(Product.name, Variant.options, Variant.sku)
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.id.in_(context["variants"]), IS_PURCHASABLE, ~IS_IN_STOCK)
        .order_by(Product.name, Variant.sku)
    )
    articles = [
        ArticleOfMail(name, " · ".join(options.values()), sku)
        for name, options, sku in db.session.execute(query)
    ]
    if not articles:
        raise NoSubject("The articles are in stock again.")
    return {"articles": articles, "link": link("admin_products.list_products")}


def load_job_parked(context: Values) -> Values:
    """A parked job, and how many of its kind are."""
    job = db.session.get(Job, context["job"])
    count = select(func.count()).where(Job.kind == context["kind"], Job.status == "parked")
    parked = db.session.scalar(count) or 0
    if job is None or not parked:
        raise NoSubject("Staff have seen to the job already.")
    error = (job.error or "")[:MAX_ERROR]
    return {"kind": job.kind, "error": error, "count": parked, "link": link("admin_jobs.list_jobs")}


def load_sign_in(context: Values) -> Values:
    """A session that began."""
    session = db.session.get(Session, context["session"])
    if session is None:
        raise NoSubject("The session is over.")
    browser = user_agents.describe(session.user_agent or "")
    return {"at": session.created_at, "user_agent": browser, "link": link("account.show_profile")}


def load_webhook_trouble(context: Values) -> Values:
    """An endpoint of webhooks that somebody should look at."""
    endpoint = db.session.get(WebhookEndpoint, context["endpoint"])
    if endpoint is None or not endpoint.trouble:
        raise NoSubject("The endpoint takes deliveries again.")
    where = link("admin_webhooks.show_endpoint", endpoint_id=endpoint.id)
    host = urlsplit(endpoint.url).hostname or ""
    return {"host": host, "trouble": endpoint.trouble, "link": where}


def _sample_stock() -> Values:
    articles = [
        ArticleOfMail("Hooded sweatshirt", "M · Navy", "HOOD-M-NVY"),
        ArticleOfMail("Wool hat & “café” scarf <gift set>", "", "SET-001"),
    ]
    return {"articles": articles, "link": link("admin_products.list_products")}


def _sample_job() -> Values:
    error = "NotSent: Mail 7 could not be sent; its row says why."
    return {"kind": "mail", "error": error, "count": 3, "link": link("admin_jobs.list_jobs")}


def _sample_sign_in() -> Values:
    at = datetime(2026, 11, 30, 14, 5, tzinfo=timezone.utc)
    return {"at": at, "user_agent": "Firefox on Linux", "link": link("account.show_profile")}


def _sample_webhook() -> Values:
    trouble = "Event 17 could not be delivered for three days."
    where = link("admin_webhooks.show_endpoint", endpoint_id=1)
    return {"host": "erp.example", "trouble": trouble, "link": where}


add_template(
    MailTemplate(
        "webhook_trouble", "Staff: webhook fails", load_webhook_trouble, _sample_webhook,
        is_receipt=False,
    )
)  # fmt: skip
add_template(
    MailTemplate("stock_out", "Staff: sold out", load_stock_out, _sample_stock, is_receipt=False)
)
add_template(
    MailTemplate("job_parked", "Staff: job parked", load_job_parked, _sample_job, is_receipt=False)
)
add_template(MailTemplate("staff_sign_in", "Staff: new sign-in", load_sign_in, _sample_sign_in))
