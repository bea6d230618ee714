"""What axe-core says of every screen in every state: nothing, light and dark, wide and narrow."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import ROOT, Site, serving
from tests.e2e.states import STATES, Furnished, State, furnish
from tests.servers import missing

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = ((1440, 900), (390, 844))
RUN = """async (rules) => {
  const { violations } = await axe.run(document, { runOnly: { type: "tag", values: rules } });
  return violations.map(({ id, help, nodes }) => ({
    id, help,
    where: nodes.map((node) => [node.target.join(" "), node.html, node.failureSummary]),
  }));
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        missing("axe-core", "npm ci")
    return AXE.read_text("utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A site of this module's own: what other tests leave behind is no state that is listed."""
    with serving(tmp_path_factory.mktemp("states")) as running:
        yield running


@pytest.fixture(scope="module")
def furnished(site: Site) -> Furnished:
    return furnish(site)


@pytest.mark.timeout(300)  # the first one furnishes the site
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_nothing_is_found(
    open_as: Callable[..., Page], axe: str, furnished: Furnished, state: State
) -> None:
    found: dict[str, Any] = {}
    for width, height in SIZES:
        size = {"width": width, "height": height}
        page = open_as(state.role, "/healthz", viewport=size, reduced_motion="reduce")
        state.open(page, furnished)
        page.evaluate(axe)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(250)  # colours fade
            for each in page.evaluate(RUN, RULES):
                found.setdefault(each["id"], {"help": each["help"]})[f"{scheme} {width}"] = each[
                    "where"
                ]
        page.context.close()

    assert found == {}, json.dumps(found, indent=1)


def test_it_does_find_what_is_wrong(open_as: Callable[..., Page], axe: str) -> None:
    page = open_as("viewer", "/courses")
    page.evaluate(axe)
    page.evaluate("document.querySelector('h1').style.color = 'rgb(200 200 205)'")

    assert [each["id"] for each in page.evaluate(RUN, RULES)] == ["color-contrast"]
