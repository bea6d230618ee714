"""The chapters of a course, and the videos linked to them."""

from core import Plugin

plugin = Plugin("chapters", __name__, requires=["accounts", "courses", "media"])
