"""Search: all words, names first, prefixes, accents, codes; slips of the keyboard on PostgreSQL."""

from itertools import product as pairs_of

import pytest
from sqlalchemy import select

from app.db.prepared import run
from app.domain.catalogue.search_terms import search_terms
from app.services.catalogue import product_search
from tests import factories

URL = "/api/products"


@pytest.fixture
def shop(app):
    """Lamps and things that mention lamps."""
    filler = "A long text about the house and what stands in it, again and again. " * 20
    with app.app_context():
        factories.product(slug="shade", name="Shade", description=f"Fits a red lamp. {filler}")
        factories.product(slug="often", name="Bulb", description="lamp " * 200)
        factories.product(slug="red-lamp", name="Red Lamp", description=filler)
        factories.product(slug="cafe", name="Café Crème", sku="CC-100/b")
        factories.product(slug="tatzelwurm", name="Großer Tatzelwurm №5")
        factories.product(slug="headphones", name="Wireless Headphones")
        factories.product(slug="hidden", name="Hidden Zebra", is_active=False)


def found(caller, q, **more):
    response = caller.get(URL, query_string={"q": q, **more})
    assert response.status_code == 200, response.json
    return [item["slug"] for item in response.json["items"]]


@pytest.mark.parametrize(
    ("q", "slugs"),
    [
        ("red lamp", ["red-lamp", "shade"]),
        ("lamp", ["red-lamp", "often", "shade"]),
        ("LAMP  red!", ["red-lamp", "shade"]),
        ("red la", ["red-lamp", "shade"]),
        ("cafe", ["cafe"]),
        ("CAFÉ creme", ["cafe"]),
        ("cc-100/B", ["cafe"]),
        ("creme 100", ["cafe"]),
        ("grosser", ["tatzelwurm"]),
        ("GROSSER no5", ["tatzelwurm"]),
        ("lamp cafe", []),
        ("zebra", []),
        ("!!!", []),
        ("\N{PILE OF POO}", []),
        ("' OR 1=1 --", []),
        ('"lamp" AND NOT:* red)', []),
        ("OR NOT", []),
        ("NEAR(", []),
        ("search_title: lamp", []),
        ("%", []),
        ("_", []),
    ],
)
def test_words_find_what_has_them_all(anyone, shop, q, slugs):
    names = found(anyone, q)

    assert sorted(names) == sorted(slugs)
    assert names[:1] == slugs[:1]


def test_an_unfinished_last_word_counts_as_a_prefix(anyone, shop):
    assert found(anyone, "red l")[:1] == ["red-lamp"]
    assert found(anyone, "wirel") == ["headphones"]


def test_an_unfinished_word_is_found_wherever_one_begins_so(app, anyone):
    with app.app_context():
        factories.product(name="Lamp", slug="name")
        factories.product(name="Scarf", slug="text", description="Of lambswool")
        factories.product(name="Box", slug="code", sku="LAM-7")
        factories.product(name="Tin", slug="number", sku="lam7x")
        factories.product(name="Lámina", slug="accent")
        factories.product(name="Slam", slug="other")

    assert sorted(found(anyone, "lam")) == ["accent", "code", "name", "number", "text"]
    assert found(anyone, "lamb") == found(anyone, "of lambs") == ["text"]
    assert found(anyone, "lam7") == ["number"]


def test_of_many_words_that_begin_alike_none_is_missed(app, anyone):
    with app.app_context():
        for letters in pairs_of("abcdef", repeat=2):
            factories.product(name=f"Thing un{''.join(letters)}")

    response = anyone.get(f"{URL}?q=thing+un&per_page=100")

    assert response.json["total"] == len(response.json["items"]) == 36


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(
    ("q", "query"),
    [
        ("red qam", "'red' & ( 'qamb' | 'qamp' )"),
        ("qamp", "'qamp'"),
        ("qamz", "'qamz':*"),
        ("red qac", "'red' & 'qac':*"),
    ],
)
def test_the_index_is_asked_for_whole_words_where_they_are_known(app, q, query):
    """Beginnings are dear; codes, and words of other letters, are looked for by them all the same."""
    with app.app_context():
        factories.product(name="Qamp of qamb", sku="QAC77")

        search = product_search.exact_search(search_terms(q))
        asked = run(select(product_search.complete_query()), search.parameters)

        assert asked.scalar_one() == query


def test_search_goes_with_filters_orders_and_pages(app, anyone, shop):
    with app.app_context():
        category = factories.category(slug="lamps")
        factories.product(9900, name="Dear Lamp", slug="dear", category_id=category.id, stock=0)

    assert found(anyone, "lamp", category="lamps") == ["dear"]
    assert found(anyone, "lamp", min_price="50") == ["dear"]
    assert found(anyone, "lamp", in_stock="false") == ["dear"]
    assert found(anyone, "lamp", sort="-price")[0] == "dear"
    assert found(anyone, "lamp", sort="name") == ["often", "dear", "red-lamp", "shade"]
    assert found(anyone, "lamp", per_page=1, page=2, sort="name") == ["dear"]
    assert found(anyone, "lamp", cursor="", sort="name", per_page=2) == ["often", "dear"]


def test_what_is_no_word_finds_nothing_by_cursor_either(anyone, shop):
    nothing = anyone.get(f"{URL}?q=!!!&sort=name&cursor=").json

    assert (nothing["items"], nothing["next_cursor"]) == ([], None)
    assert anyone.get(f"{URL}?q=!!!&sort=name&cursor=garbage").status_code == 422


def test_the_total_counts_all_that_match(anyone, shop):
    response = anyone.get(f"{URL}?q=lamp&per_page=1")

    assert (response.json["total"], response.json["pages"]) == (3, 3)


def test_equally_good_finds_stand_by_id(app, anyone):
    with app.app_context():
        for slug in ("a", "b", "c", "d"):
            factories.product(name="Twin Thing", slug=slug, sku=f"T{slug}")

    assert found(anyone, "twin") == ["a", "b", "c", "d"]


def test_edits_and_deletions_are_found_at_once(admin, anyone):
    made = admin.post(URL, json={"name": "Kettle", "price": 1, "sku": "K1"}).json
    assert found(anyone, "kettle") == found(anyone, "k1") == ["kettle"]

    admin.patch(
        f"{URL}/{made['id']}", json={"name": "Teapot", "description": "Of iron", "sku": "T1"}
    )
    assert found(anyone, "kettle") == found(anyone, "k1") == []
    assert found(anyone, "teapot") == found(anyone, "iron") == found(anyone, "t1") == ["kettle"]

    admin.delete(f"{URL}/{made['id']}")
    assert found(anyone, "teapot") == []


def test_staff_find_inactive_products_too(admin, anyone, shop):
    assert found(admin, "zebra") == ["hidden"]
    assert found(anyone, "zebra") == []


@pytest.mark.parametrize("q", ["x" * 200, "é" * 200, "\ufdfa" * 200, "q " * 100, "日本語" * 60])
def test_long_questions_are_answered(anyone, shop, q):
    assert found(anyone, q) == []


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("q", ["headphnes", "haedphones", "wireles hedphones", "headphoness"])
def test_typos_are_tried_when_nothing_matched(anyone, shop, q):
    assert found(anyone, q) == ["headphones"]
    assert found(anyone, q, sort="name", cursor="") == ["headphones"]


@pytest.mark.only_on("postgresql")
def test_typos_are_not_tried_when_the_words_match_something(app, anyone, shop):
    with app.app_context():
        factories.product(name="Lamb", slug="lamb", sku="X1")

    assert "lamb" not in found(anyone, "lamp")
    assert found(anyone, "lamp", max_price="0.01") == []
    assert found(anyone, "lamp", page=9) == []


@pytest.fixture
def kitchen(app):
    """Things to drink from, and what they are made of."""
    with app.app_context():
        factories.product(
            slug="mug", name="Stoneware Mug 350 ml", description="Glazed, with speckles"
        )
        factories.product(slug="samovar", name="Samovar 2000", description="Of polished copper")
        factories.product(slug="kettle", name="Tin Kettle", sku="KET7b", description="No mug")
        factories.product(name="Fff", sku="LMN0", description=f"Stra{'w' * 300}")


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(
    ("q", "slug"),
    [
        *(
            (q, "samovar")
            for q in ("sammovar", "samvar", "saxovar", "samvoar", "asmovar", "amovar")
        ),
        *((q, "kettle") for q in ("tyn", "tni", "kettel")),
        *((q, "samovar") for q in ("coppr", "cpoper", "poxishxd")),
    ],
)
def test_words_of_names_and_descriptions_are_found_with_slips(anyone, kitchen, q, slug):
    assert found(anyone, q) == [slug]


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(
    ("q", "slug"),
    [
        ("stonware 350", "mug"),
        ("350 stonware", "mug"),
        ("samovra 2000", "samovar"),
        ("samovra 20", "samovar"),
        ("glazd mug", "mug"),
        ("stonware mu", "mug"),
        ("mug stonware mug", "mug"),
        ("ketle ket7", "kettle"),
        ("ketle ket7b", "kettle"),
    ],
)
def test_words_that_are_there_stay_as_they_are_beside_slips(anyone, kitchen, q, slug):
    assert found(anyone, q) == [slug]


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(
    "q",
    [
        "stonware 351", "stonware kettle", "mg stonware", "stonware tx", "zzzz", "qwertyuiop",
        "kxttxe", "bszzetmazer", "kxt7b", "lmnx", "\ufb00" * 150,
    ],
)  # fmt: skip
def test_what_is_simply_not_there_is_not_found(anyone, kitchen, q):
    """A number is no slip of another, nor two letters of three, nor a short word in two places; all
    words must be met, and however long one is, there is an answer."""
    assert found(anyone, q) == []


@pytest.mark.only_on("postgresql")
def test_of_similar_words_those_of_names_come_first_and_near_ones_before_far_ones(app, anyone):
    with app.app_context():
        factories.product(slug="text", name="Shade", description="For a lantern")
        factories.product(slug="far", name="Lanterns", sku="A1")
        factories.product(slug="near", name="Lantern", sku="A2")
        factories.product(slug="kept", name="Lantern Hook", sku="A3", description="Of brass")

    assert found(anyone, "lantren") == ["near", "kept", "far", "text"]
    assert found(anyone, "lantren brass") == ["kept"]


@pytest.mark.only_on("postgresql")
def test_a_word_of_products_that_are_gone_may_be_a_slip(admin, anyone):
    made = admin.post(URL, json={"name": "Samvoar", "price": 1, "sku": "S1"}).json
    admin.patch(f"{URL}/{made['id']}", json={"name": "Samovar"})

    assert found(anyone, "samvoar") == [made["slug"]]


@pytest.mark.only_on("sqlite")
def test_sqlite_finds_words_as_they_are_written_only(anyone, shop):
    assert found(anyone, "headphnes") == found(anyone, "re lamp") == []
