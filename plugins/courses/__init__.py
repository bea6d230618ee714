"""Courses and who works on them."""

from core import Plugin

plugin = Plugin("courses", __name__, requires=["accounts"])
