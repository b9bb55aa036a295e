from app.domain.changes import differences


def test_only_what_differs_is_told():
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3}) == {"b": [2, 3]}


def test_what_came_and_what_went_is_told_with_none():
    assert differences({"old": 1}, {"new": 2}) == {"new": [None, 2], "old": [1, None]}


def test_equal_states_differ_in_nothing():
    assert differences({"a": [1]}, {"a": [1]}) == {}
