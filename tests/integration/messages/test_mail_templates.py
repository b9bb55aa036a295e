"""Templates of mails: text and HTML say the same, and neither lets markup or secrets through."""

import re
from html.parser import HTMLParser

import pytest

from app.web.mails import rendering
from app.web.mails.links import SAMPLE_TOKEN
from app.web.mails.samples import render_sample, sample_shop
from app.web.mails.templates import all_templates, find_template
from tests.integration.people import inside

NAMES = [template.name for template in all_templates()]
WITH_SECRET = {
    "email_confirmation", "password_reset", "order_placed", "order_cancelled", "order_shipped"
}  # fmt: skip
HOSTILE = "<b>x</b> {{ 7*7 }} \" ' & <script>alert(1)</script>"


class Reader(HTMLParser):
    """Reads what a person sees of a mail, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.links, self.hidden = [], [], 0
        self.sources: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("style", "title") or "display: none" in (values.get("style") or ""):
            self.hidden += 1
        if tag == "a":
            self.links.append(values["href"])
        self.sources += [v for k, v in attrs if k in ("src", "background", "srcset")]

    def handle_endtag(self, tag):
        if tag in ("style", "title") or (tag == "div" and self.hidden):
            self.hidden -= 1

    def handle_data(self, data):
        if not self.hidden:
            self.words += words(data)


def words(text):
    """The words of a text, without the signs between them."""
    return [word.strip(":,;-()·") for word in text.split() if word.strip(":,;-()·")]


def read(html):
    reader = Reader()
    reader.feed(html)
    assert not reader.hidden
    return reader


@pytest.fixture
def rendered(app):
    return lambda name: inside(app, lambda: render_sample(name, sample_shop()))


@pytest.mark.parametrize("name", NAMES)
def test_text_and_html_say_the_same(rendered, name):
    mail = rendered(name)
    page = read(mail.html)
    text_links = re.findall(r"https?://\S+", mail.text)
    text = words(re.sub(r"https?://\S+", "", mail.text))
    assert text == [word for word in page.words if not word.startswith("http")]
    assert {*text_links} == {*page.links}
    assert len(text) > 10
    assert mail.subject


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_holds_no_secret_but_the_one_of_its_link(rendered, name):
    mail = rendered(name)
    for form in (mail.text, mail.html):
        assert form.count(SAMPLE_TOKEN) == (1 if name in WITH_SECRET else 0)
        if SAMPLE_TOKEN in form:
            assert re.search(r"(reset|verify|orders/\S+)\?token=" + SAMPLE_TOKEN, form)
    assert SAMPLE_TOKEN not in mail.subject


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_loads_nothing_and_its_styles_stand_beside_what_they_are_for(rendered, name):
    html = rendered(name).html
    assert read(html).sources == []
    assert not re.search(r"<(link|script|img|iframe|form)\b|url\(|@import", html)
    assert "prefers-color-scheme: dark" in html
    assert re.search(r"<h1 style=\"[^\"]*font-size", html)
    assert len(html.encode()) < 100_000  # Gmail clips what is longer


@pytest.mark.parametrize("name", NAMES)
def test_names_are_written_as_text(app, name):
    values = inside(app, lambda: find_template(name).sample())
    shop = sample_shop()._replace(name=HOSTILE, foot=(HOSTILE,))
    mail = inside(app, lambda: rendering.render(name, {**with_hostile(values), "shop": shop}))
    assert "<script" not in mail.html
    assert "<b>" not in mail.html
    assert HOSTILE in mail.text
    assert "&lt;b&gt;" in mail.html
    assert "\n" not in mail.subject


def with_hostile(values):
    """The values with a hostile name wherever people or staff write one."""
    hostile = dict(values)
    if "order" in hostile:
        lines = [line._replace(name=HOSTILE, options=HOSTILE) for line in hostile["order"].lines]
        hostile["order"] = hostile["order"]._replace(lines=lines, address=[HOSTILE])
    if "articles" in hostile:
        hostile["articles"] = [a._replace(name=HOSTILE, sku="<b>") for a in hostile["articles"]]
    for name in ("error", "user_agent"):
        if name in hostile:
            hostile[name] = HOSTILE
    return hostile


def test_amounts_and_dates_are_the_stores(app, monkeypatch):
    monkeypatch.setitem(app.config, "STORE_LOCALE", "de_DE")
    monkeypatch.setitem(app.config, "STORE_CURRENCY", "EUR")
    mail = inside(app, lambda: render_sample("order_placed", sample_shop()))
    for form in (mail.text, mail.html.replace("&nbsp;", "\xa0")):
        assert "162,40\xa0€" in form
        assert "30. November 2026" in form
        assert "Deutschland" in form
