"""What gunicorn serves when the forgetful plugin is installed."""

from core import create_app
from tests.core import progress

app = create_app(plugins=[progress.plugin])
