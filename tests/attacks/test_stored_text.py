"""What authors write is text on every screen: no markup, no template and no script."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from core.actions import Action
from core.parameters import plain_type
from tests.attacks.world import World, arguments_for
from tests.conftest import act

MARK = "cw7f"
EVIL = (
    f"{MARK}<script>alert(1)</script>",
    f'{MARK}"><img src=x onerror=alert(1)>',
    f"{MARK}' onmouseover='alert(1)",
    f"{MARK}{{{{ 7*191 }}}}{{% print(7*191) %}}",
    f"{MARK}${{7*191}}#{{7*191}}<%= 7*191 %>",
    f"{MARK}</textarea></title></style><!--",
    f"{MARK}<svg/onload=alert(1)>\u2028</live-region>",
)
PAGES = (
    "/courses",
    "/courses/{course_id}",
    "/courses/{course_id}/edit",
    "/courses/{course_id}/members",
    "/chapters/{chapter_id}/add-videos",
    "/chapters/{chapter_id}/move",
    "/chapters/links/{link_id}/move",
    "/media",
    "/media?search=" + MARK,
    "/media/{media_id}",
)


class Page(HTMLParser):
    """What a browser would run of a page: none of it may be there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.active: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        inline = (
            tag == "script" and not known.get("src") and "json" not in (known.get("type") or "")
        )
        links = [known.get(name) or "" for name in ("href", "src", "action", "formaction")]
        if (
            inline
            or any(name.startswith("on") or name == "style" for name in known)
            or any(link.strip().lower().startswith("javascript:") for link in links)
            or known.get("src") == "x"
        ):
            self.active.append(self.get_starttag_text() or tag)


def texts_of(action: Action[..., Any]) -> Iterator[str]:
    """The parameters of *action* that take a text of the user's own."""
    for parameter in action.fields:
        if plain_type(parameter.annotation) is str:
            yield parameter.name


def stored(world: World) -> list[tuple[Action[..., Any], str]]:
    actions = world.app.extensions["coursewire"].registry.actions
    return [(action, name) for action in actions for name in texts_of(action)]


@pytest.mark.parametrize("evil", EVIL)
def test_a_text_in_any_field_of_any_action_stays_text_on_every_page(
    world: World, evil: str
) -> None:
    owner = world.client("owner")
    kept = 0
    for action, name in stored(world):
        if action.plugin == "accounts":
            continue  # signing in, and what would end this session
        body = arguments_for(action, world.mine)
        if "was" in body and name in body["was"]:
            where = world.client("owner").get(_read_back(action, world)).get_json()
            where.setdefault("title", where.get("chapter_title"))
            body["was"] = {field: where[field] for field in body["was"]}
            body |= {field: where[field] for field in body["was"] if field != name}
        response = owner.post(f"/a/{action.plugin}/{action.path_name}", json=body | {name: evil})
        assert response.status_code < 500, response.data
        kept += response.status_code == 200

    assert kept >= 5  # titles of courses, chapters and videos, and a description, at the least
    shown = 0
    for page in PAGES:
        text = owner.get(page.format(**world.mine)).get_data(as_text=True)
        shown += MARK in text
        assert Page(text).active == [], page
        assert "1337" not in text, page
    assert shown >= 4


def _read_back(action: Action[..., Any], world: World) -> str:
    """Where what an edit starts from is read."""
    if action.plugin == "media":
        return f"/q/media/detail/{world.mine['media_id']}"
    if action.plugin == "chapters":
        return f"/q/chapters/picker/{world.mine['chapter_id']}"
    return f"/q/courses/detail/{world.mine['course_id']}"


def test_a_message_shown_after_a_form_is_text(world: World) -> None:
    owner = world.client("owner")
    form = {"course_id": "1", "title": EVIL[0], "_next": "/courses"}

    page = owner.post("/a/chapters/add", data=form, follow_redirects=True).get_data(as_text=True)

    assert MARK in page
    assert f"{MARK}<script>" not in page


@pytest.mark.parametrize("evil", EVIL)
def test_what_an_address_says_is_text_on_the_page(world: World, evil: str) -> None:
    owner = world.client("owner")
    for path in ("/media", "/sign-in", f"/chapters/{world.mine['chapter_id']}/add-videos", "/none"):
        answer = owner.get(path, query_string={"search": evil, "next": evil, "view": evil})

        assert Page(answer.get_data(as_text=True)).active == [], path


def test_no_page_has_an_inline_script_or_handler_or_style(world: World) -> None:
    owner = world.client("owner")
    for page in PAGES:
        assert Page(owner.get(page.format(**world.mine)).get_data(as_text=True)).active == [], page


def test_every_template_is_autoescaped(world: World) -> None:
    environment = world.app.jinja_env
    for name in environment.list_templates(extensions=["html"]):
        source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]

        assert "autoescape false" not in source, name
        assert not re.search(r"\|\s*safe\b", source), name
        select: Any = environment.autoescape
        assert select is True or select(name), name


def test_nobody_sets_a_field_that_an_action_does_not_take(world: World) -> None:
    """Mass assignment: ids, owners, rights and states that a row has and the action does not."""
    owner = world.client("owner")
    extra = {
        "id": 99,
        "staff": True,
        "user_id": 1,
        "created_by": 1,
        "role": "owner",
        "__class__": "x",
    }
    for action in world.app.extensions["coursewire"].registry.actions:
        body = arguments_for(action, world.mine)
        for name, value in extra.items():
            if name in body or action.takes_upload:
                continue
            answer = owner.post(
                f"/a/{action.plugin}/{action.path_name}", json={**body, name: value}
            )

            assert answer.status_code == 422, (action.label, name)
            assert name in answer.get_json()["errors"], (action.label, name)


def test_a_form_reaches_no_attribute_of_an_argument(world: World) -> None:
    owner = world.client("owner")
    before = owner.get("/q/courses/detail/1").get_json()
    for name in ("was.__class__", "was.model_config", "was.title.x", "was..title", "__init__.x"):
        form = {"course_id": "1", "title": "A", "description": "", "status": "draft", name: "x"}

        answer = owner.post("/a/courses/edit", data=form, headers={"Accept": "application/json"})

        assert answer.status_code == 422, name
    assert owner.get("/q/courses/detail/1").get_json() == before


def test_the_examples_reach_their_actions(world: World) -> None:
    """Else the tests above would try nothing."""
    assert act(world.client("owner"), "courses/add", title=EVIL[0])["result"]["title"] == EVIL[0]
