"""Presence: who else works on a course just now, and in which of its chapters."""

from core import Plugin

plugin = Plugin("presence", __name__, requires=["accounts", "chapters", "courses"])
