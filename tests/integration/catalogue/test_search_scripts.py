"""Search in other scripts and languages: letters with marks, letters without spaces between words."""

import pytest

from tests import factories

URL = "/api/products"
NAMES = {
    "lazienkowy": "Dywanik Łazienkowy",
    "smorebrod": "Smørebrødkniv",
    "dong-ho": "Đồng hồ treo tường",
    "kaedelas": "Rød kædelås",
    "oeuvre": "Œuvre complète",
    "thor": "Þórr og Ðað",
    "isik": "IŞIK lamba",
    "hobz": "Ħobż tal-Malti, ŋwa",
    "panda": "パンダ",
    "handa": "ハンダ",
    "bus": "バス",
    "path": "パス",
    "lotus": "ハス",
    "cup": "不锈钢保温杯500ml",
    "other-cup": "保温 大温杯",
    "case": "防水スマートフォンケース",
    "book": "हिन्दी किताब",
    "cut": "कतब",
    "thai": "เสื้อยืดผู้ชายสีดำ",
    "lao": "ເສື້ອຢືດຜູ້ຊາຍ",
    "khmer": "អាវយឺតបុរស",
    "burmese": "အမျိုးသားတီရှပ်",
    "red": "قميص أحمر",
    "hat": "כובע אדום",
    "korean": "한국 김치",
    "tea": "чай зелёный",
    "shirt": "黑色T恤",
}


@pytest.fixture
def shop(app):
    with app.app_context():
        for slug, name in NAMES.items():
            factories.product(slug=slug, name=name, sku=f"{slug}-1")


def slugs(caller, q, **more):
    response = caller.get(URL, query_string={"q": q, **more})
    assert response.status_code == 200, response.json
    return {item["slug"] for item in response.json["items"]}


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("lazienkowy", {"lazienkowy"}),
        ("ŁAZIENKOWY", {"lazienkowy"}),
        ("smorebrodkniv", {"smorebrod"}),
        ("Smørebrødkniv", {"smorebrod"}),
        ("dong ho", {"dong-ho"}),
        ("kaedelas", {"kaedelas"}),
        ("kædelås", {"kaedelas"}),
        ("oeuvre", {"oeuvre"}),
        ("œuvre", {"oeuvre"}),
        ("thorr dad", {"thor"}),
        ("isik", {"isik"}),
        ("hobz ngwa", {"hobz"}),
        ("зеленый чай", {"tea"}),
    ],
)
def test_plain_letters_find_letters_of_many_languages(anyone, shop, q, expected):
    assert slugs(anyone, q) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("パンダ", {"panda"}),
        ("ﾊﾟﾝﾀﾞ", {"panda"}),  # half-width
        ("ハ\u309aンタ\u3099", {"panda"}),
        ("ハ゜ンタ゛", {"panda"}),  # the marks as characters of their own
        ("ハンダ", {"handa"}),
        ("バス", {"bus"}),
        ("パス", {"path"}),
        ("ハス", {"lotus"}),
        ("किताब", {"book"}),
        ("कतब", {"cut"}),
        ("हिन्दी", {"book"}),
        ("हन्द", set()),
        ("احمر", {"red"}),
        ("כּוֹבַע", {"hat"}),  # with its vowels
        ("김치", {"korean"}),
        ("\u1100\u1175\u11b7\u110e\u1175", {"korean"}),  # decomposed
    ],
)
def test_marks_that_are_letters_count(anyone, shop, q, expected):
    assert slugs(anyone, q) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("保温杯", {"cup"}),
        ("保温杯500ml", {"cup"}),
        ("温杯500", {"cup"}),
        ("500ml", {"cup"}),
        ("杯", {"cup", "other-cup"}),
        ("温杯", {"cup", "other-cup"}),
        ("杯 500", {"cup"}),
        ("杯 保", {"cup", "other-cup"}),
        ("杯保", set()),
        ("スマートフォン", {"case"}),
        ("ｽﾏｰﾄﾌｫﾝ", {"case"}),
        ("スマホ", set()),
        ("防水 ケース", {"case"}),
        ("ケース", {"case"}),
        ("ー", {"case"}),
        ("ผู้ชาย", {"thai"}),
        ("เสื้อ", {"thai"}),
        ("สีดำ", {"thai"}),
        ("สี", {"thai"}),
        ("สา", set()),
        ("ຜູ້ຊາຍ", {"lao"}),
        ("បុរស", {"khmer"}),
        ("တီရှပ်", {"burmese"}),
        ("T恤", {"shirt"}),
        ("t恤", {"shirt"}),
        ("色t", {"shirt"}),
    ],
)
def test_scripts_without_spaces_are_found_in_the_middle(anyone, shop, q, expected):
    assert slugs(anyone, q) == expected


def test_all_that_searches_finds_them(admin, anyone, shop):
    assert slugs(admin, "保温杯", is_active="true") == {"cup"}
    assert slugs(anyone, "保温杯", sort="name", cursor="") == {"cup"}
    assert anyone.get(f"{URL}?q=スマートフォン&per_page=1").json["total"] == 1
    page = anyone.get("/search?q=保温杯").text
    assert "不锈钢保温杯500ml" in page
    assert "保温 大温杯" not in page


def test_words_are_found_in_descriptions_and_beside_others(app, anyone):
    with app.app_context():
        factories.product(slug="bottle", name="Bottle", description="双层不锈钢保温杯，500ml。")

    assert slugs(anyone, "bottle 保温杯") == slugs(anyone, "保温杯 bott") == {"bottle"}


@pytest.mark.only_on("postgresql")
def test_slips_are_mended_beside_scripts_without_spaces(app, anyone):
    with app.app_context():
        factories.product(slug="bottle", name="Bottle 保温杯")
        factories.product(slug="other", name="Bottle 大杯")

    assert slugs(anyone, "bottel 保温杯") == {"bottle"}
