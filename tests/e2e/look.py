"""Looking at a page as it is: with axe-core, in light, dark and on a telephone."""

import os
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from app.config import ROOT

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")
RUN = """async runOnly => {
  const options = {runOnly, rules: {"target-size": {enabled: true}}, resultTypes: ["violations"]}
  const found = await axe.run(document, options)
  return found.violations.map(({id, nodes}) =>
    [id, ...nodes.slice(0, 3).map(node => node.html.slice(0, 200) + " " + node.failureSummary)].join("\\n  "))
}"""
EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""All that another colour scheme can break."""
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth
  if (document.documentElement.scrollWidth <= width) return []
  const wide = [...document.querySelectorAll("body *")].filter(it => it.getBoundingClientRect().right > width)
  return ["wider than the screen: " + wide.slice(0, 3).map(it => it.outerHTML.slice(0, 120)).join(" | ")]
}"""
WIDE, NARROW = 1280, 390
MODES = (
    ("light", WIDE, EVERYTHING),
    ("dark", WIDE, COLOURS),
    ("dark", NARROW, EVERYTHING),
    ("light", NARROW, COLOURS),
)
"""A page is loaded once, and looked at four times."""
SCREENSHOTS = Path(os.environ.get("E2E_SCREENSHOTS", ROOT / "instance" / "screenshots"))


def look_at(page: Page, name: str = "") -> Iterator[str]:
    """What is wrong with the page that is shown; keeps pictures of it under `name`."""
    page.evaluate(AXE)
    for scheme, width, rules in MODES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        if name:
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        for problem in (*page.evaluate(OVERFLOW), *page.evaluate(RUN, rules)):
            yield f"{page.url} {scheme} {width}: {problem}"
