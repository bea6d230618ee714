"""What gunicorn serves when the talkative plugin is installed."""

from core import create_app
from core.telemetry.logs import write_to_stderr
from tests.core import talking

app = create_app(plugins=[talking.plugin])
write_to_stderr(app)
