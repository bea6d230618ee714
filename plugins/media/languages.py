"""The languages that captions are offered in, each by its own name; others go by their tag."""

import re

from plugins.media import plugin

LANGUAGES = {
    "ar": "العربية",
    "bg": "Български",
    "bn": "বাংলা",
    "ca": "Català",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "et": "Eesti",
    "fa": "فارسی",
    "fi": "Suomi",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hr": "Hrvatski",
    "hu": "Magyar",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "lt": "Lietuvių",
    "lv": "Latviešu",
    "nb": "Norsk bokmål",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "ro": "Română",
    "ru": "Русский",
    "sk": "Slovenčina",
    "sl": "Slovenščina",
    "sr": "Српски",
    "sv": "Svenska",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "ur": "اردو",
    "vi": "Tiếng Việt",
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
}

TAG = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?$"
"""A language, a script, a region (RFC 5646): "pt", "zh-Hant", "es-419"."""


@plugin.app_template_global("caption_languages")
def caption_languages() -> dict[str, str]:
    """The languages by their tags, for forms."""
    return LANGUAGES


def language_name(tag: str) -> str:
    """What the language calls itself; of a region or script that is not listed, with its tag."""
    if tag in LANGUAGES:
        return LANGUAGES[tag]
    language = re.split("-", tag)[0]
    return f"{LANGUAGES[language]} ({tag})" if language in LANGUAGES else tag
