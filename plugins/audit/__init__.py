"""Audit: who did what to which course, and when."""

from core import Plugin

plugin = Plugin("audit", __name__, requires=["accounts", "courses"])
