"""Categories on the staff's pages: the tree, changed and pruned."""

import pytest

from app.models import AuditEvent, Category
from tests import factories
from tests.integration.browsing import Browser, links
from tests.integration.people import inside, make_user, only_row, rows
from tests.integration.staff import fields_of, signed_in_staff

TREE, NEW = "/admin/categories", "/admin/categories/new"


@pytest.fixture
def clerk(app) -> Browser:
    """A browser in which a member of staff is signed in."""
    return signed_in_staff(app)


@pytest.fixture
def home(app):
    return inside(app, factories.category, name="Home", slug="home")


@pytest.fixture
def kitchen(app, home):
    return inside(app, factories.category, name="Kitchen", slug="kitchen", parent_id=home.id)


def save(clerk: Browser, path: str, **changed: str):
    """Send the form as it is shown, but for these fields."""
    return clerk.client.post(path, data={**fields_of(clerk.get(path).text, path), **changed})


def test_only_staff_get_in(app):
    make_user(app)
    customer = Browser(app)

    assert customer.get(TREE).headers["Location"] == f"/login?next={TREE}"
    customer.sign_in("ann@example.com")
    assert customer.get(TREE).status_code == 403


def test_the_tree_is_shown_with_what_is_on_sale(app, clerk, home, kitchen):
    inside(app, factories.category, name="Garden", position=-1)
    inside(app, factories.product, category_id=kitchen.id)

    html = clerk.get(TREE).text

    places = [html.index(f'<a href="{TREE}/{row.id}">') for row in (home, kitchen)]
    assert html.index(">Garden<") < places[0] < places[1]
    assert 'aria-label="Products in Home: 1 on sale"' in html
    assert "/admin/products?category=kitchen" in links(html)
    assert "Level 2: " in html


def test_an_empty_tree_says_so(clerk):
    assert "There is no category yet." in clerk.get(TREE).text


def test_a_category_is_added(app, clerk, home):
    response = save(clerk, NEW, name="Bed & Bath", parent_id=str(home.id), position="",
                    description="Soft.\r\nWarm.")  # fmt: skip

    assert "Bed &amp; Bath is in the tree." in clerk.follow(response).text
    made = rows(app, Category)[-1]
    assert (made.slug, made.parent_id, made.position) == ("bed-bath", home.id, 0)
    assert made.description == "Soft.\nWarm."
    assert only_row(app, AuditEvent).door == "pages"


def test_a_category_is_changed_and_moved(app, clerk, home, kitchen):
    path = f"{TREE}/{kitchen.id}"

    same = save(clerk, path)
    moved = save(clerk, path, name="Cooking", slug="cooking", parent_id="", position="-3")

    assert same.status_code == 303
    assert "Cooking is saved." in clerk.follow(moved).text
    row = rows(app, Category)[-1]
    assert (row.name, row.slug, row.parent_id, row.position) == ("Cooking", "cooking", None, -3)
    assert len(rows(app, AuditEvent)) == 1


def test_who_comes_second_is_told_and_may_insist(app, clerk, home):
    path = f"{TREE}/{home.id}"
    mine = {**fields_of(clerk.get(path).text, path), "name": "Mine"}
    save(clerk, path, description="Theirs")

    refused = clerk.client.post(path, data=mine)
    kept = only_row(app, Category)
    again = clerk.client.post(path, data=fields_of(refused.text, path))

    assert refused.status_code == 412
    assert "Somebody has changed this category" in refused.text
    assert (kept.name, kept.description) == ("Home", "Theirs")
    assert again.status_code == 303
    assert only_row(app, Category).name == "Mine"


@pytest.mark.parametrize("path", [NEW, f"{TREE}/{{id}}"])
def test_a_second_click_does_nothing_more(app, clerk, home, path):
    path = path.format(id=home.id)
    sent = {**fields_of(clerk.get(path).text, path), "name": "Garden"}

    answers = [clerk.client.post(path, data=sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert [row.name for row in rows(app, Category)].count("Garden") == 1
    assert only_row(app, AuditEvent).subject == "category"


def test_no_category_may_be_put_into_itself(app, clerk, home, kitchen):
    path = f"{TREE}/{home.id}"

    html = clerk.get(path).text
    response = save(clerk, path, parent_id=str(kitchen.id))

    assert ">— Kitchen</option>" not in html
    assert response.status_code == 422
    assert '<small id="parent_id-said">A category cannot lie in itself' in response.text


@pytest.mark.parametrize(
    ("sent", "field", "told"),
    [
        ({"name": ""}, "name", "This is needed."),
        ({"slug": "Not One"}, "slug", "Lower-case words"),
        ({"slug": "home"}, "slug", "The slug home is taken."),
        ({"parent_id": "77"}, "parent_id", "There is no such category."),
        ({"position": "first"}, "position", "Not a whole number."),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(app, clerk, home, sent, field, told):
    response = save(clerk, NEW, **{"name": "Garden", **sent})

    assert response.status_code in (409, 422)
    assert f'<small id="{field}-said">{told}' in response.text
    assert len(rows(app, Category)) == 1


def test_an_empty_category_is_deleted_once_that_is_confirmed(app, clerk, home, kitchen):
    path = f"{TREE}/{kitchen.id}/delete"
    assert "Delete Kitchen?" in clerk.get(path).text

    response = clerk.send(path)

    assert "The category is deleted." in clerk.follow(response).text
    assert only_row(app, Category).id == home.id


def test_a_category_that_was_changed_meanwhile_is_not_deleted(app, clerk, home, kitchen):
    path = f"{TREE}/{kitchen.id}/delete"
    old = fields_of(clerk.get(path).text, path)
    save(clerk, f"{TREE}/{kitchen.id}", description="Now in use")

    refused = clerk.client.post(path, data=old)
    again = clerk.client.post(path, data=fields_of(refused.text, path))

    assert refused.status_code == 412
    assert "See the category as it is now" in refused.text
    assert "The category is deleted." in clerk.follow(again).text


@pytest.mark.parametrize("is_active", [True, False])
def test_what_still_holds_something_is_kept_and_says_what_to_do(app, clerk, home, is_active):
    inside(app, factories.product, category_id=home.id, is_active=is_active)
    path = f"{TREE}/{home.id}/delete"
    assert ("1 product lies in it" in clerk.get(path).text) is is_active

    response = clerk.send(path)

    assert response.status_code == 409
    assert "Home is not empty." in response.text
    assert "/admin/products?category=home" in links(response.text)
    assert len(rows(app, Category)) == 1


@pytest.mark.parametrize("action", ["", "/delete"])
def test_what_is_no_category_is_not_there(clerk, action):
    token = fields_of(clerk.get(NEW).text, NEW)

    for address in ("77", "no-such", "%00", str(2**70)):
        path = f"{TREE}/{address}{action}"
        assert clerk.get(path).status_code == 404
        assert clerk.client.post(path, data={**token, "name": "x"}).status_code == 404
