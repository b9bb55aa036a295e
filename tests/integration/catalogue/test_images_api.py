"""Pictures of products: made fit, kept by content, shown with the product."""

import errno
import io
import os
from typing import Any

import pytest
from PIL import Image

from app.domain.catalogue.images import MAX_IMAGES, WIDTHS
from app.gateways.media import FolderStore
from app.services.catalogue import pictures

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("folder")]


LARGE = (1600, 1200)
"""Larger than any width that is shown."""


def picture(size=(160, 120), kind="JPEG", colour="red", **options: Any) -> bytes:
    """A file as a camera or a program would make it."""
    out = io.BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", size, colour).save(out, kind, **options)
    return out.getvalue()


def upload(caller, path, data, name="mug.jpg", **fields):
    """Send a picture."""
    response = caller.post(f"{path}/images", data={"file": (io.BytesIO(data), name), **fields})
    response.request.input_stream.close()  # the client's own, on disk where it is large
    return response


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        FolderStore(tmp_path, "/media").save(f"{'a' * 32}-320.webp", b"x")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", pictures.FORMATS)
def test_a_picture_comes_back_as_webp_in_three_widths(anyone, admin, path, kind):
    made = upload(admin, path, picture(LARGE, kind), alt="A mug")

    assert made.status_code == 201, made.json
    assert (made.json["alt"], made.json["width"], made.json["height"]) == ("A mug", 1280, 960)
    assert [source["width"] for source in made.json["sources"]] == list(WIDTHS)
    for source in made.json["sources"]:
        file = anyone.get(source["url"])
        assert file.mimetype == "image/webp"
        assert "immutable" in file.headers["Cache-Control"]
        shown = Image.open(io.BytesIO(file.data))
        assert (shown.format, shown.width) == ("WEBP", source["width"])


def test_everybody_sees_it_with_the_product_at_once(anyone, admin, path):
    before = anyone.get(path).json
    made = upload(admin, path, picture()).json

    after = anyone.get(path).json
    assert before["images"] == []
    assert after["images"] == [made]
    assert after["version"] == before["version"] + 1
    assert anyone.get("/api/products").json["items"][0]["images"] in ([], [made])


def test_a_small_picture_is_not_made_larger(admin, path):
    made = upload(admin, path, picture(size=(100, 50))).json

    assert (made["width"], made["height"]) == (100, 50)
    assert [source["width"] for source in made["sources"]] == [100, 100, 100]


def test_nothing_of_the_camera_is_kept_but_the_way_it_was_held(anyone, admin, path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "SecretCamera"
    data = picture(size=(400, 200), exif=exif) + b"hidden behind the picture"
    made = upload(admin, path, data).json

    assert (made["width"], made["height"]) == (200, 400)
    for source in made["sources"]:
        file = anyone.get(source["url"]).data
        assert b"SecretCamera" not in file
        assert b"hidden" not in file
        assert not Image.open(io.BytesIO(file)).getexif()


def test_transparency_stays(anyone, admin, path):
    made = upload(admin, path, picture(size=(64, 64), kind="PNG", colour=(255, 0, 0, 0))).json

    shown = Image.open(io.BytesIO(anyone.get(made["url"]).data)).convert("RGBA")
    assert shown.getpixel((5, 5))[3] == 0


def test_greys_of_sixteen_bits_stay_grey(anyone, admin, path):
    file = io.BytesIO()
    Image.new("I;16", (40, 30), 0x8000).save(file, "PNG")

    made = upload(admin, path, file.getvalue())

    shown = Image.open(io.BytesIO(anyone.get(made.json["sources"][0]["url"]).data))
    assert all(120 <= part <= 136 for part in shown.convert("RGB").getpixel((20, 15)))


def test_an_upload_may_be_repeated(anyone, admin, path):
    first, second = (upload(admin, path, picture(), alt="A mug") for _ in range(2))

    assert first.json == second.json
    assert len(anyone.get(path).json["images"]) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        picture(LARGE)[:900],
    ],
    ids=["empty", "cut off", "svg", "pdf", "half"],
)
def test_what_is_no_picture_is_refused(anyone, admin, path, folder, data):
    response = upload(admin, path, data)

    assert (response.status_code, list(response.json["errors"])) == (422, ["file"])
    assert anyone.get(path).json["images"] == []
    assert not folder.exists()


def test_a_bomb_is_refused_before_it_goes_off(admin, path):
    bomb = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(bomb, "PNG")

    assert len(bomb.getvalue()) < 50_000
    assert upload(admin, path, bomb.getvalue()).status_code == 422


def test_a_file_beyond_the_limit_is_refused(app, admin, path):
    size = app.config["MAX_UPLOAD_BYTES"]

    assert upload(admin, path, b"\xff\xd8" + b"x" * size).status_code == 413


def test_a_large_picture_within_the_limit_is_taken(app, admin, path):
    noise = Image.effect_noise(LARGE, 90)
    out = io.BytesIO()
    noise.save(out, "PNG")

    assert len(out.getvalue()) > app.config["MAX_CONTENT_LENGTH"]
    assert upload(admin, path, out.getvalue()).status_code == 201


def test_only_staff_add_and_remove(anyone, customer, admin, path):
    made = upload(admin, path, picture()).json
    for caller, status in ((anyone, 401), (customer, 403)):
        assert upload(caller, path, picture(colour="blue")).status_code == status
        assert caller.delete(f"{path}/images/{made['id']}").status_code == status


def test_a_body_of_another_kind_is_refused(admin, path):
    assert admin.post(f"{path}/images", json={"file": "x"}).status_code == 415
    assert admin.post(f"{path}/images", data={"alt": "no file"}).status_code == 415
    unnamed = admin.post(
        f"{path}/images", data={"alt": "no file"}, content_type="multipart/form-data"
    )
    assert (unnamed.status_code, list(unnamed.json["errors"])) == (422, ["file"])
    text = admin.post(
        f"{path}/images", data={"file": "no file"}, content_type="multipart/form-data"
    )
    assert (text.status_code, list(text.json["errors"])) == (422, ["file"])
    odd = upload(admin, path, picture(), role="admin")
    assert (odd.status_code, list(odd.json["errors"])) == (422, ["role"])


def test_a_product_that_is_not_there_gets_no_picture(admin, folder):
    assert upload(admin, "/api/products/999", picture()).status_code == 404
    assert not folder.exists()


def test_pictures_are_put_in_order_described_and_taken_away_by_an_edit(admin, path):
    red, blue, green = (
        upload(admin, path, picture(LARGE, colour=colour)).json["id"]
        for colour in ("red", "blue", "green")
    )
    wishes = [{"id": green, "alt": "Green"}, {"id": red}]
    edited = admin.patch(path, json={"images": wishes})

    assert edited.status_code == 200
    shown = [(image["id"], image["alt"], image["width"]) for image in edited.json["images"]]
    assert shown == [(green, "Green", 1280), (red, "", 1280)]
    again = admin.patch(path, json={"images": [{"id": blue}]})
    assert list(again.json["errors"]) == ["images.0.id"]
    twice = admin.patch(path, json={"images": [{"id": red}, {"id": red}]})
    assert list(twice.json["errors"]) == ["images.1.id"]


def test_a_picture_is_taken_away_once(anyone, admin, path):
    made = upload(admin, path, picture()).json

    assert admin.delete(f"{path}/images/{made['id']}").status_code == 204
    assert admin.delete(f"{path}/images/{made['id']}").status_code == 404
    assert anyone.get(path).json["images"] == []


def test_a_new_product_cannot_name_pictures(admin):
    body = {"name": "Mug", "price": "5.00", "images": [{"id": "0" * 32}]}
    response = admin.post("/api/products", json=body)

    assert (response.status_code, list(response.json["errors"])) == (422, ["images"])


def test_there_is_an_end_to_pictures(app, admin, path, monkeypatch):
    for number in range(MAX_IMAGES):
        assert upload(admin, path, picture((8, 8), "PNG", (number, 0, 0, 255))).status_code == 201

    response = upload(admin, path, picture((8, 8)))
    assert (response.status_code, response.json["code"]) == (409, "too_many_images")


@pytest.mark.parametrize("name", ["x.webp", "..%2f..%2fmanage.py", "0" * 32 + "-320.webp"])
def test_other_files_are_not_there(anyone, name):
    assert anyone.get(f"/media/{name}").status_code == 404


def test_a_link_among_the_pictures_is_not_followed(anyone, folder, tmp_path):
    (tmp_path / "secret").write_text("SECRET_KEY=")
    folder.mkdir()
    link, pipe = f"{'b' * 32}-320.webp", f"{'c' * 32}-320.webp"
    (folder / link).symlink_to(tmp_path / "secret")
    os.mkfifo(folder / pipe)

    statuses = [anyone.get(f"/media/{name}").status_code for name in (link, pipe)]
    FolderStore(folder, "/media").save(link, b"a picture")

    assert statuses == [404, 404]
    assert anyone.get(f"/media/{link}").data == b"a picture"
    assert (tmp_path / "secret").read_text() == "SECRET_KEY="
