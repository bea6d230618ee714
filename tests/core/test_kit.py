"""The test kit: what a plugin's author gets, and what it says when a screen stays stale."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from core import Plugin
from core.testing import Client, Refused, Site, conforms
from plugins.chapters import plugin as chapters
from tests.core import progress
from tests.core.test_freshness import EXACT
from tests.servers import ROOT

SUMMARY = "progress:summary:1"


@pytest.fixture(scope="module")
def coursewire_plugins() -> Sequence[str | Plugin]:
    """The first-party plugins, and the one that has forgotten an event."""
    return ["accounts", "courses", "media", "chapters", progress.plugin]


@pytest.fixture(scope="module")
def coursewire_database(
    tmp_path_factory: pytest.TempPathFactory,
    coursewire_redis: str,
    coursewire_plugins: Sequence[str | Plugin],
) -> Path:
    """A database of this module's plugins."""
    from core.testing.site import prepare

    folder = tmp_path_factory.mktemp("kit")
    prepare(folder, coursewire_redis, coursewire_plugins)
    return folder


@pytest.fixture
def editor(site: Site) -> Client:
    return sign_in(site, "editor")


def sign_in(site: Site, role: str) -> Client:
    client = site.client()
    client.act("accounts/sign-in", email=f"{role}@example.test", password="demo")
    return client


def link_a_video(client: Client) -> None:
    media_id = client.act("media/add-url", title="New", url="https://video.test/a.mp4")
    chapter = client.read("chapters:list:1")[-1]
    client.act(
        "chapters/link-media", chapter_id=chapter["id"], media_ids=[media_id["media_file_id"]]
    )


def test_a_client_acts_and_reads(site: Site, editor: Client) -> None:
    added = editor.act("chapters/add", course_id=1, title="Light")

    assert editor.read("chapters:list:1")[-1]["title"] == "Light"
    assert added["title"] == "Light"
    assert editor.me is not None
    assert editor.me.email == "editor@example.test"
    assert site.client().me is None


def test_what_is_refused_says_why(site: Site, editor: Client) -> None:
    with pytest.raises(Refused) as refused:
        sign_in(site, "viewer").act("chapters/add", course_id=1, title="Mine")
    with pytest.raises(Refused, match="POST /a/chapters/add was answered 422: Check: title"):
        editor.act("chapters/add", course_id=1)
    with pytest.raises(Refused, match="“nobody:knows” is not a key: no plugin has this namespace"):
        editor.read("nobody:knows")

    assert refused.value.status == 403
    assert "You may look at this and not change it" in str(refused.value)


def test_what_becomes_stale_is_recorded(site: Site, editor: Client) -> None:
    with site.live.expect_stale("chapters:list:1", "courses:detail:1"):
        editor.act("chapters/add", course_id=1, title="Light")
    with site.live.expect_nothing("media:list"):
        editor.act("chapters/add", course_id=1, title="Shadow")
    with site.live.expect_nothing():
        editor.read("chapters:list:1")


def test_a_reaction_counts_as_well(site: Site) -> None:
    """What a removed course did to the videos' counts, a reaction tells."""
    with site.live.expect_stale("media:list"):
        sign_in(site, "owner").act("courses/remove", course_id=1)


def test_a_key_that_did_not_become_stale_is_explained(site: Site, editor: Client) -> None:
    with pytest.raises(AssertionError) as failed, site.live.expect_stale(SUMMARY):
        link_a_video(editor)

    text = str(failed.value)
    assert text.startswith(f"'{SUMMARY}' did not become stale.\n  This notice (MediaAdded) named ")
    assert (
        f"this region shows {SUMMARY}. progress.summary is stale on ChapterAdded, ChapterRemoved "
        "and MediaUnlinked; MediaLinked is not among them."
    ) in text


def test_an_action_that_publishes_nothing_is_told_so(site: Site, editor: Client) -> None:
    with pytest.raises(AssertionError) as failed, site.live.expect_stale("chapters:list:1"):
        editor.read("chapters:list:1")

    assert str(failed.value) == (
        "'chapters:list:1' did not become stale: nothing was published. Does the action emit() "
        "what happened?"
    )


def test_what_became_stale_unexpectedly_is_explained(site: Site, editor: Client) -> None:
    with (
        pytest.raises(AssertionError, match="'chapters:list:1' became stale") as failed,
        site.live.expect_nothing("chapters:list:1"),
    ):
        editor.act("chapters/add", course_id=1, title="Light")
    with (
        pytest.raises(AssertionError, match="Something became stale, by chapter-added"),
        site.live.expect_nothing(),
    ):
        editor.act("chapters/add", course_id=1, title="Shadow")

    assert "because chapters.list (by name) named it" in str(failed.value)


def test_a_key_that_is_none_fails_at_once(site: Site) -> None:
    with (
        pytest.raises(AssertionError, match="“chapters:liszt:1” is not a key"),
        site.live.expect_stale("chapters:liszt:1"),
    ):
        pytest.fail("never came so far")


@pytest.mark.may_be_stale
def test_the_original_bug_fails_with_the_line_to_write(site: Site, editor: Client) -> None:
    site.live.watch(editor, SUMMARY)

    link_a_video(editor)

    with pytest.raises(AssertionError) as failed:
        site.assert_fresh()
    assert str(failed.value) == EXACT.format(trace=str(failed.value)[-16:])


@pytest.mark.may_be_stale
def test_conformance_finds_the_original_bug_by_itself(site: Site, editor: Client) -> None:
    with pytest.raises(AssertionError) as failed:
        conforms(site, chapters, [sign_in(site, "owner"), editor], examples=60)

    text = str(failed.value)
    # Either of the two that link a video: which of them is met first is the dice's.
    found = re.search(rf"'{SUMMARY}' was changed by chapters\.(link_media|relink), and noth", text)
    assert found, text
    assert text.count(f"\n    {found[1]}(") == 1, "the sequence was not shortened"
    emitted = re.search(r"It emitted ([\w, ]+), which named ", text)
    assert emitted, text
    assert sorted(emitted[1].split(", ")) == ["MediaLinked", "MediaUseChanged"]
    assert (
        'Write: @plugin.query("summary", …, stale_on=[ChapterAdded, ChapterRemoved, MediaUnlinked, '
        "MediaLinked])"
    ) in text


def test_conformance_needs_people_and_actions(site: Site, editor: Client) -> None:
    with pytest.raises(AssertionError, match="needs people who have signed in"):
        conforms(site, chapters, [editor, site.client()])
    with pytest.raises(AssertionError, match="'progress' has no action that could be tried"):
        conforms(site, progress.plugin, [editor])


FORGETFUL = """
from pydantic import BaseModel
from sqlalchemy import func, select

from core import Plugin, db
from plugins.chapters.events import ChapterAdded, ChapterRemoved, MediaLinked, MediaUnlinked
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.courses.guards import course_access

plugin = Plugin("progress", __name__, requires=["courses", "chapters"])


class Progress(BaseModel):
    videos: int


@plugin.query("summary", guard=course_access, stale_on=[{events}])
def progress_summary(course_id: int) -> Progress:
    count = select(func.count()).select_from(ChapterMedia).join(
        Chapter, Chapter.id == ChapterMedia.chapter_id
    ).where(Chapter.course_id == course_id)
    return Progress(videos=db.session.scalar(count) or 0)
"""
THEIR_TEST = """
import pytest

import progress


@pytest.fixture(scope="session")
def coursewire_plugins():
    return ["accounts", "courses", "media", "chapters", progress.plugin]


def test_the_summary_shows(site):
    editor = site.client()
    editor.act("accounts/sign-in", email="editor@example.test", password="demo")
    before = editor.read("progress:summary:1")["videos"]
    chapter = editor.read("chapters:list:1")[-1]
    added = editor.act("media/add-url", title="New", url="https://video.test/a.mp4")
    editor.act(
        "chapters/link-media", chapter_id=chapter["id"], media_ids=[added["media_file_id"]]
    )
    site.settle()
    assert before > 0
"""
HEARD = "ChapterAdded, ChapterRemoved, MediaUnlinked"


@pytest.fixture
def their_project(tmp_path: Path) -> Path:
    """A folder of a third party: a plugin, and a test that says nothing of staleness."""
    (tmp_path / "test_progress.py").write_text(THEIR_TEST)
    return tmp_path


def run_their_tests(folder: Path, events: str) -> str:
    (folder / "progress.py").write_text(FORGETFUL.replace("{events}", events))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    words = ["-m", "pytest", "-q", "-p", "core.testing.fixtures", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [sys.executable, *words, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return ran.stdout + ran.stderr


def test_a_third_partys_test_fails_by_itself_and_passes_with_the_line(their_project: Path) -> None:
    failed = run_their_tests(their_project, HEARD)

    expected = EXACT.partition("\n  Trace")[0]
    assert "1 passed, 1 error" in failed, failed
    for line in expected.splitlines():
        assert line in failed, failed

    assert "1 passed" in run_their_tests(their_project, f"{HEARD}, MediaLinked")
    assert "error" not in run_their_tests(their_project, f"{HEARD}, MediaLinked")
