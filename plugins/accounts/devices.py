"""What somebody calls a browser: out of what the browser calls itself."""

from core.languages import gettext as _
from core.languages import later
from plugins.accounts import plugin

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", later("A Python program")),
)
"""In this order: most pretend to be others too, those named later."""

_SYSTEMS = (
    ("iPhone", later("an iPhone")),
    ("iPad", later("an iPad")),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", later("a Mac")),
    ("Linux", "Linux"),
)


def device_of(agent: str) -> str:
    """*agent*, the header ``User-Agent``, in plain words: “Firefox on Linux”."""
    browser = _first(_BROWSERS, agent) or later("A browser")
    system = _first(_SYSTEMS, agent)
    return f"{browser} on {system}" if system else browser


@plugin.app_template_filter("device_name")
def device_name(device: str) -> str:
    """A *device*, as `device_of` has it, in the language at hand."""
    browser, on, system = device.partition(" on ")
    if not on:
        return _(browser)
    return _("%(browser)s on %(system)s", browser=_(browser), system=_(system))


def _first(words: tuple[tuple[str, str], ...], agent: str) -> str | None:
    return next((name for mark, name in words if mark in agent), None)
