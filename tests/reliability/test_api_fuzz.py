"""The API keeps to its own description, whatever is sent."""

import pytest

from tests.reliability import api_fuzz
from tests.reliability.setting import fire_setting

pytestmark = pytest.mark.slow

LEAST_CASES = 1000


def test_every_answer_is_one_that_the_document_names():
    with fire_setting("sqlite", workers=2) as setting:
        figures, problems = api_fuzz.run(setting, examples=2, seed=1, plan=api_fuzz.SHORT)

        assert problems == []
        assert figures["cases"] > LEAST_CASES
        assert "Traceback" not in setting.log.read_text(errors="replace")
