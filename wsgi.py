"""The app, for gunicorn and for Flask's command line, which both look here."""

from core import create_app

app = create_app()
