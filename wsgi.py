"""The app, for gunicorn and for Flask's command line, which both look here."""

from core import create_app
from core.telemetry.logs import write_to_stderr

app = create_app()
write_to_stderr(app)
