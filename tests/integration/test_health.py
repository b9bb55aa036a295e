"""Health: alive, ready, and honest when not."""


def test_a_live_process_answers(anyone):
    assert anyone.get("/healthz/live").json == {"status": "ok"}


def test_a_migrated_shop_is_ready(anyone):
    response = anyone.get("/healthz/ready")

    assert response.status_code == 200
    assert response.json["database"] == "ok"
