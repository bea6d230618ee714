"""Accounts: users, sign-in, and sessions that can be ended."""

from core import Plugin

plugin = Plugin("accounts", __name__)
