"""Caches: what is kept for one is never the answer to another, and tags tell nothing."""

import pytest

from tests.attacks.world import NEIGHBOUR, PEOPLE, World
from tests.conftest import act

UNKEYED = {
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/q/courses/detail/2",
    "X-Rewrite-URL": "/q/courses/detail/2",
    "X-HTTP-Method-Override": "DELETE",
    "Forwarded": "host=evil.test",
    "Origin": "http://evil.test",
    "Referer": "http://evil.test/",
    "User-Agent": "evil.test",
    "Accept-Language": "evil-test",
    "Range": "bytes=0-5",
    "Content-Type": "text/evil",
    "Live-Key": "evil.test",
    "Cookie-Evil": "evil.test",
}
READS = ("/q/courses/detail/1", "/q/chapters/list/1", "/q/media/list")


@pytest.mark.parametrize("name", UNKEYED)
def test_a_header_that_is_no_part_of_the_key_changes_no_answer(world: World, name: str) -> None:
    for path in READS:
        plain = world.client("owner").get(path)
        poisoned = world.client("owner").get(path, headers={name: UNKEYED[name]})
        after = world.client("editor").get(path)

        assert (poisoned.status_code, poisoned.data) == (plain.status_code, plain.data), path
        assert after.data == plain.data
        assert b"evil" not in poisoned.data
        assert "evil" not in str(poisoned.headers).lower().replace("evil-test", "")


@pytest.mark.parametrize(
    "extra", ["evil=1", "callback=evil", "search=evil&search=", "utm_source=evil"]
)
def test_a_parameter_that_is_no_part_of_the_key_is_refused_and_kept_for_nobody(
    world: World, extra: str
) -> None:
    for path in READS:
        plain = world.client("owner").get(path)

        assert world.client("owner").get(f"{path}?{extra}").status_code == 400, path
        assert world.client("editor").get(path).data == plain.data


def test_no_shared_cache_may_keep_what_a_cookie_decided(world: World) -> None:
    pages = ("/", "/courses", "/courses/1", "/media", "/account", "/sign-in", "/nowhere")
    for path in (*READS, *pages, "/q/accounts/me", "/media/1/file", "/openapi.json"):
        for who in ("anonymous", "owner"):
            with world.client(who).get(path) as answer:
                control = answer.headers.get("Cache-Control", "")

            assert "public" not in control, path
            assert "private" in control or "no-store" in control, path
            if path.startswith("/q/") and answer.status_code == 200:
                assert "private" in control, path
                assert "Cookie" in answer.headers["Vary"], path


def test_a_tag_of_what_may_not_be_seen_gets_no_304(world: World) -> None:
    number = world.theirs["course_id"]
    for path in (f"/q/courses/detail/{number}", f"/q/chapters/list/{number}"):
        tag = world.client(NEIGHBOUR).get(path).headers["ETag"]
        told = set()
        for match in (tag, '"wrong"', "*", f"W/{tag}"):
            for who in ("outsider", "viewer", "editor", "owner"):
                answer = world.client(who).get(path, headers={"If-None-Match": match})
                told.add((answer.status_code, answer.data, answer.headers.get("ETag")))

        assert len(told) == 1
        assert next(iter(told))[0] == 404


def test_the_same_bytes_have_the_same_tag_and_others_another(world: World) -> None:
    path = "/q/chapters/list/1"
    tags = {world.client(who).get(path).headers["ETag"] for who in PEOPLE[2:]}
    act(world.client("owner"), "chapters/add", course_id=1, title="One more")

    assert len(tags) == 1
    assert world.client("owner").get(path).headers["ETag"] not in tags


def test_an_answer_for_an_idempotency_key_is_for_its_user_alone(world: World) -> None:
    headers = {"Idempotency-Key": "the same"}
    body = {"json": {"course_id": 1, "title": "A chapter of mine"}, "headers": headers}
    owner = world.client("owner").post("/a/chapters/add", **body)

    outsider = world.client("outsider").post("/a/chapters/add", **body)
    nobody = world.client("anonymous").post("/a/chapters/add", **body)

    assert owner.status_code == 200
    assert (outsider.status_code, nobody.status_code) == (404, 401)


def test_who_lost_the_right_does_not_get_the_kept_answer_again(world: World) -> None:
    path = f"/q/courses/detail/{world.mine['course_id']}"
    editor = world.client("editor")
    tag = editor.get(path).headers["ETag"]
    me = editor.get("/q/accounts/me").get_json()

    act(world.client("owner"), "courses/remove-member", course_id=1, user_id=me["user_id"])

    assert editor.get(path, headers={"If-None-Match": tag}).status_code == 404
