"""Status: what the site's staff see of all workers, drawn live like any other screen."""

from core import Plugin

plugin = Plugin("status", __name__)
