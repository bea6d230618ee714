"""Platforms whose disks forget: a warning, before somebody's uploads are gone."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from core import Settings
from plugins.media import plugin

log = logging.getLogger("coursewire.media")

_PLATFORMS = {
    "DYNO": "Heroku",
    "FLY_APP_NAME": "Fly",
    "RAILWAY_ENVIRONMENT_ID": "Railway",
    "RENDER_SERVICE_ID": "Render",
    "K_SERVICE": "Cloud Run",
    "KUBERNETES_SERVICE_HOST": "Kubernetes",
    "ECS_CONTAINER_METADATA_URI_V4": "ECS",
}
"""Variables that they set, and their names."""

_NO_VOLUMES = ("DYNO",)


@plugin.at_start
def warn_of_a_disk_that_forgets(settings: Settings) -> None:
    """Say in plain words what will happen to the files."""
    platform = forgetful_platform(settings, os.environ)
    if platform is not None:
        log.warning(
            "Uploads are stored in %s, on a disk that %s empties at every restart and shares with "
            "no other machine: they will be lost. Use a bucket (COURSEWIRE_STORAGE=s3), or set "
            "COURSEWIRE_UPLOAD_DIR to a folder on a volume.",
            settings.upload_dir,
            platform,
        )


def forgetful_platform(settings: Settings, environment: Mapping[str, str]) -> str | None:
    """The platform that will lose the files; ``None`` where they are safe as far as we can see."""
    if settings.storage != "local":
        return None
    for variable, name in _PLATFORMS.items():
        if environment.get(variable) and (
            variable in _NO_VOLUMES or not _on_a_volume(settings.upload_dir.absolute())
        ):
            return name
    return None


def _on_a_volume(folder: Path) -> bool:
    """Whether it lies on another file system than the one that the machine started from."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return there.stat().st_dev != Path("/").stat().st_dev
