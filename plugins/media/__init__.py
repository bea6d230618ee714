"""The media library: files, where they are served from, and how often they are used."""

from core import Plugin

plugin = Plugin("media", __name__, requires=["accounts"])
