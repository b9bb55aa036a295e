"""Pictures on the staff's pages: sent, described, put in order, taken away."""

import io
from typing import Any

import pytest

from app.domain.catalogue.images import MAX_IMAGES
from app.gateways.media import FolderStore
from app.models import AuditEvent, Product
from tests import factories
from tests.integration.browsing import Browser, hidden_fields
from tests.integration.catalogue.test_images_api import picture
from tests.integration.people import EMAIL, change, inside, make_user, only_row, rows
from tests.integration.staff import fields_of, signed_in_staff


@pytest.fixture(autouse=True)
def folder(shared_app, tmp_path, monkeypatch):
    """A folder of this test's own for pictures."""
    monkeypatch.setitem(shared_app.extensions, "media", FolderStore(tmp_path / "media", "/media"))
    return tmp_path / "media"


@pytest.fixture
def clerk(app) -> Browser:
    """A browser in which a member of staff is signed in."""
    return signed_in_staff(app)


@pytest.fixture
def mug(app) -> Any:
    facts = [{"id": name * 32, "alt": f"{name}", "width": 8, "height": 8} for name in "abc"]
    return inside(app, factories.product, name="Mug", images=facts)


def path(product: Any) -> str:
    """Where its pictures are."""
    return f"/admin/products/{product.id}/pictures"


def upload(clerk: Browser, where: str, data: bytes, **fields: str) -> Any:
    """Send a picture by the form of the page."""
    token = hidden_fields(clerk.get(where).text)["csrf_token"]
    sent = {"file": (io.BytesIO(data), "mug.jpg"), "csrf_token": token, **fields}
    response = clerk.client.post(where, data=sent)
    response.request.input_stream.close()
    return response


def arrange(clerk: Browser, where: str, **changed: str) -> Any:
    """Send the pictures' form as it is shown, but for these fields: `place_a` is that of a."""
    action = f"{where}/arrange"
    wishes = {f"{name[:-2]}-{name[-1] * 32}": value for name, value in changed.items()}
    sent = {**fields_of(clerk.get(where).text, action), **wishes}
    return clerk.client.post(action, data=sent)


def order(app) -> str:
    """The first letters of the pictures' ids."""
    return "".join(image["id"][0] for image in only_row(app, Product).images)


def test_a_picture_is_sent_and_shown(app, clerk):
    product = inside(app, factories.product)

    response = upload(clerk, path(product), picture(), alt="A red mug")

    page = clerk.follow(response).text
    (image,) = only_row(app, Product).images
    assert image["alt"] == "A red mug"
    assert f'src="/media/{image["id"]}-1280.webp"' in page
    assert 'alt="A red mug"' in page
    event = only_row(app, AuditEvent)
    assert (event.door, event.action) == ("pages", "product.edited")


def test_a_picture_may_be_larger_than_other_forms(app, clerk):
    product = inside(app, factories.product)
    noise = picture(size=(200, 100), kind="PNG") + bytes(3 * 1024 * 1024)

    assert upload(clerk, path(product), noise).status_code == 303


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"", "Not a picture."), (b"<svg/>", "Not a picture."), (picture()[:900], "The picture is broken.")],
    ids=["empty", "svg", "half"],
)  # fmt: skip
def test_what_is_no_picture_is_told_beside_its_field(app, clerk, folder, data, told):
    product = inside(app, factories.product)

    response = upload(clerk, path(product), data, alt="Kept")

    assert response.status_code == 422
    assert '<small id="file-said">' in response.text
    assert told in response.text
    assert 'value="Kept"' in response.text
    assert not folder.exists()


def test_a_form_without_a_file_is_told(app, clerk, mug):
    token = hidden_fields(clerk.get(path(mug)).text)

    response = clerk.client.post(path(mug), data=token)

    assert response.status_code == 422
    assert '<small id="file-said">This is needed.' in response.text


def test_a_file_that_is_too_large_is_told(app, clerk, mug):
    data = bytes(app.config["MAX_UPLOAD_BYTES"] + 1)

    response = upload(clerk, path(mug), data)

    assert response.status_code == 413
    assert "This file is too large." in response.text


def test_only_staff_get_so_far(app, mug):
    make_user(app)
    customer, data = Browser(app), bytes(app.config["MAX_UPLOAD_BYTES"] + 1)

    def sends() -> int:
        sent = {"csrf_token": "x", "file": (io.BytesIO(data), "mug.jpg")}
        response = customer.client.post(path(mug), data=sent)
        response.request.input_stream.close()
        assert "Mug" not in response.text
        return response.status_code

    assert sends() == 303
    customer.sign_in(EMAIL)
    assert sends() == 403


def test_a_full_album_takes_no_more(app, clerk, mug):
    facts = [{"id": f"{n:032}", "alt": "", "width": 8, "height": 8} for n in range(MAX_IMAGES)]
    change(app, mug, images=facts)

    response = upload(clerk, path(mug), picture(size=(9, 9)))

    assert response.status_code == 409
    assert f"at most {MAX_IMAGES} pictures" in response.text


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, "abc"),
        ({"place_c": "1"}, "cab"),
        ({"place_a": "3"}, "bca"),
        ({"place_a": "2"}, "bac"),
        ({"place_a": "2", "place_b": "1"}, "bac"),
        ({"place_a": "x", "place_b": "-9"}, "bac"),
        ({"remove_b": "1"}, "ac"),
        ({"remove_a": "1", "place_c": "1"}, "cb"),
    ],
)
def test_pictures_are_put_in_order_and_taken_away(app, clerk, mug, wishes, expected):
    response = arrange(clerk, path(mug), **wishes)

    assert "The pictures are saved." in clerk.follow(response).text
    assert order(app) == expected


def test_pictures_are_described(app, clerk, mug):
    arrange(clerk, path(mug), alt_b="Seen from above", place_b="1")

    assert [image["alt"] for image in only_row(app, Product).images] == [
        "Seen from above",
        "a",
        "c",
    ]


def test_what_is_wrong_with_a_description_is_told_beside_it(app, clerk, mug):
    response = arrange(clerk, path(mug), alt_b="x" * 301, place_c="1")

    assert response.status_code == 422
    assert f'<small id="alt-{"b" * 32}-said">Between 0 and 300 characters.' in response.text
    assert order(app) == "abc"


def test_who_comes_second_is_told_and_may_insist(app, clerk, mug):
    action = f"{path(mug)}/arrange"
    mine = fields_of(clerk.get(path(mug)).text, action)
    arrange(clerk, path(mug), place_c="1")

    refused = clerk.client.post(action, data={**mine, "alt-" + "a" * 32: "Mine"})
    assert refused.status_code == 412
    assert "Somebody has changed this product" in refused.text
    again = clerk.client.post(action, data=fields_of(refused.text, action))

    assert again.status_code == 303
    assert only_row(app, Product).images[0]["alt"] == "Mine"


def test_a_slip_does_not_hide_that_somebody_was_faster(app, clerk, mug):
    action, alt = f"{path(mug)}/arrange", "alt-" + "a" * 32
    mine = fields_of(clerk.get(path(mug)).text, action)
    arrange(clerk, path(mug), alt_a="Theirs")

    slip = clerk.client.post(action, data={**mine, alt: "x" * 301})
    mended = clerk.client.post(action, data={**fields_of(slip.text, action), alt: "Mine"})

    assert (slip.status_code, mended.status_code) == (422, 412)
    assert only_row(app, Product).images[0]["alt"] == "Theirs"


def test_a_picture_that_is_not_its_own_is_refused(app, clerk, mug):
    response = arrange(clerk, path(mug), place_d="1")

    assert response.status_code == 422
    assert rows(app, AuditEvent) == []
