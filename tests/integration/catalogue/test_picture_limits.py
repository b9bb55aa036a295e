"""Large pictures: scaled down, or refused with the limit; and a disk without room for them."""

import errno
import io
import resource
import subprocess
import sys

import pytest
from PIL import Image

from app.domain.catalogue.images import WIDTHS
from app.gateways.media import FolderStore
from app.services.catalogue import pictures
from tests import factories
from tests.integration.catalogue.test_images_api import picture, upload
from tests.integration.people import inside
from tests.integration.staff import fields_of, signed_in_staff

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("folder")]
PHONE = (8064, 6048)
"""A picture of 48 megapixels, as phones take it."""
MAX_MEMORY = 450 * 1024
"""KiB that converting one takes at most."""


def messages(response):
    return " ".join(response.json["errors"]["file"])


@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_picture_of_a_phone_is_scaled_down(app, admin, path, is_progressive):
    data = picture(PHONE, colour="blue", progressive=is_progressive)

    made = upload(admin, path, data)

    assert made.status_code == 201, made.json
    assert (made.json["width"], made.json["height"]) == (1280, 960)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("size", "options"),
    [(PHONE, {"kind": "JPEG", "progressive": True, "subsampling": 0}), ((5000, 5000), {"kind": "PNG"}),
     ((5000, 5000), {"kind": "WEBP", "method": 0})],
    ids=["jpeg", "png", "webp"],
)  # fmt: skip
def test_the_largest_pictures_take_no_more_memory_than_is_said(tmp_path, size, options):
    file = tmp_path / "picture"
    file.write_bytes(picture(size, **options))
    code = (
        "import resource, sys; from app.services.catalogue import pictures;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "data = open(sys.argv[1], 'rb').read(); before = peak(); pictures.render(data);"
        "print(peak() - before)"
    )
    # A process begins with the peak of the one that starts it, so a small one starts it.
    command = [sys.executable, "-c", code, str(file)]
    small = ["/bin/sh", "-c", 'exec "$@"', "sh", *command]
    done = subprocess.run(small, capture_output=True, text=True, check=True)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert int(done.stdout) < MAX_MEMORY, before


@pytest.mark.parametrize(
    ("size", "kind", "told"),
    [
        ((12_001, 10), "JPEG", "12,001 × 10 pixels: at most 12,000 in width and height."),
        ((10, 12_001), "PNG", "10 × 12,001 pixels: at most 12,000 in width and height."),
        ((8200, 6200), "JPEG", "8,200 × 6,200 pixels, 50.8 megapixels: at most 50 in a JPEG."),
        ((6000, 5000), "PNG", "30.0 megapixels: at most 25 in a picture like this (PNG)."),
    ],
)
def test_the_limit_is_told_that_a_picture_exceeds(admin, path, size, kind, told):
    out = io.BytesIO()
    Image.new("L", size).save(out, kind)

    refused = upload(admin, path, out.getvalue())

    assert refused.status_code == 422
    assert told in messages(refused)


def test_a_jpeg_of_four_colours_has_the_smaller_limit(admin, path):
    out = io.BytesIO()
    Image.new("CMYK", (6000, 5000)).save(out, "JPEG")

    assert "at most 25" in messages(upload(admin, path, out.getvalue()))


def test_the_form_says_the_limits(app, path):
    page = signed_in_staff(app).get(path.replace("/api/", "/admin/") + "/pictures").text

    assert "up to 20 MB, up to 50 megapixels as JPEG, 25 otherwise, and 12,000 pixels" in page


class FullStore(FolderStore):
    """A folder on a disk that has room for some files."""

    def __init__(self, folder, room, error) -> None:
        super().__init__(folder, "/media")
        self.room, self.error = room, error

    def save(self, name, data):
        if self.room == 0:
            raise OSError(self.error, "no room")
        self.room -= 1
        return super().save(name, data)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG])
@pytest.mark.parametrize("room", [0, 1, 2])
def test_a_full_disk_is_503_and_nothing_is_stored(app, anyone, admin, path, folder, room, error):
    app.extensions["media"] = FullStore(folder, room, error)

    refused = upload(admin, path, picture())

    assert (refused.status_code, refused.json["code"]) == (503, "storage_full")
    assert int(refused.headers["Retry-After"]) > 0
    assert anyone.get(path).json["images"] == []
    assert [*folder.glob("*")] == []


def test_a_full_disk_leaves_the_files_of_another_products_picture(app, admin, path, folder):
    data = picture()
    upload(admin, path, data)
    (folder / f"{only_name(folder)}-{WIDTHS[-1]}.webp").unlink()
    app.extensions["media"] = FullStore(folder, 2, errno.ENOSPC)
    other = f"/api/products/{inside(app, factories.product).id}"

    assert upload(admin, other, data).status_code == 503

    assert len([*folder.iterdir()]) == 2


def only_name(folder):
    (name,) = {path.name.partition("-")[0] for path in folder.iterdir()}
    return name


def test_another_failure_of_the_folder_is_a_defect(app, admin, path, folder):
    app.extensions["media"] = FullStore(folder, 0, errno.EACCES)

    assert upload(admin, path, picture()).status_code == 500


def test_a_picture_that_is_refused_in_the_end_leaves_no_files(app, admin, path, folder):
    refused = admin.post(
        f"{path}/images",
        data={"file": (io.BytesIO(picture()), "x.jpg")},
        headers={"If-Match": '"9"'},
    )

    assert refused.status_code == 412
    assert [*folder.glob("*")] == []


def test_the_page_of_a_full_disk_is_clear(app, path, folder):
    clerk, page = signed_in_staff(app), path.replace("/api/", "/admin/") + "/pictures"
    token = fields_of(clerk.get(page).text, page)
    app.extensions["media"] = FullStore(folder, 1, errno.ENOSPC)

    refused = clerk.client.post(page, data={**token, "file": (io.BytesIO(picture()), "x.jpg")})

    assert refused.status_code == 503
    assert "no room to store this now. Nothing was stored." in refused.text
    assert [*folder.glob("*")] == []


def test_an_upload_that_finds_no_room_on_the_way_in_is_503(app, admin, path, monkeypatch):
    """Large bodies are written to a temporary file before the shop sees them."""

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", full)

    assert upload(admin, path, picture()).status_code == 503


def test_a_command_whose_file_finds_no_room_says_so(app, tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.cli.catalogue.CsvWriter.write", full)
    path = tmp_path / "products.csv"

    done = app.test_cli_runner().invoke(args=["export-products", "--output", str(path)])

    assert done.exit_code == 1
    assert done.stderr == "Error: A file could not be written: No space left on device.\n"


def test_the_limits_stand_in_one_place():
    assert str(pictures.MAX_JPEG_PIXELS // 1_000_000) in pictures.LIMITS
