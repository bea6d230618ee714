"""Draw the demonstration clips of the media plugin: pictures, sound, posters and their manifest.

Needs ffmpeg and Chromium (the app needs neither): .venv/bin/python scripts/make_demo_clips.py

Each scene is a function of the time from 0 to 1 that returns SVG. Chromium draws the frames, ffmpeg
makes them into films. All of it is ours: no foreign picture, sound or font is shipped.
"""

import json
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "plugins" / "media" / "demo"
WIDTH, HEIGHT, FRAMES_PER_S = 640, 360, 15

Scene = Callable[[float], str]


@dataclass(frozen=True)
class Clip:
    """One film: its scene, its length and the chord under it (Hz)."""

    title: str
    kind: str
    duration_s: int
    chord: tuple[float, ...]
    scene: Scene
    poster_at: float = 0.6
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By language, lines that share the clip's length evenly."""

    @property
    def name(self) -> str:
        """The file's name without ending."""
        return self.title.lower().replace(" ", "-")


def mix(start: str, end: str, share: float) -> str:
    """The colour between two ``#rrggbb`` colours."""
    pairs = ((int(start[i : i + 2], 16), int(end[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def swing(t: float) -> float:
    """From 0 to 1 and back, gently."""
    return (1 - math.cos(2 * math.pi * t)) / 2


def background(top: str, bottom: str) -> str:
    """A picture-filling gradient."""
    return (
        f'<defs><linearGradient id="b" x2="0" y2="1"><stop stop-color="{top}"/>'
        f'<stop offset="1" stop-color="{bottom}"/></linearGradient></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#b)"/>'
    )


def light(t: float) -> str:
    """A sun that crosses the sky of a valley."""
    day = math.sin(math.pi * t)
    x, y = 40 + 560 * t, 250 - 190 * day
    hill = mix("#2a2f5b", "#3f7d58", day)
    return (
        background(mix("#2b2a5e", "#6db7e8", day), mix("#f08a5d", "#dff1fb", day))
        + f'<circle cx="{x}" cy="{y}" r="70" fill="#fff3c4" opacity=".25"/>'
        + f'<circle cx="{x}" cy="{y}" r="34" fill="{mix("#ff9d5c", "#ffe680", day)}"/>'
        + f'<path d="M0 260Q150 170 320 250T640 220V360H0Z" fill="{mix(hill, "#ffffff", 0.18)}"/>'
        + f'<path d="M0 300Q180 220 360 300T640 280V360H0Z" fill="{hill}"/>'
    )


def lens(t: float) -> str:
    """A lens whose rings turn while its angle of view narrows."""
    wide = 1 - swing(t)
    angle = 14 + 30 * wide
    reach = 300
    dy = reach * math.tan(math.radians(angle))
    rings = "".join(
        f'<circle cx="200" cy="180" r="{r}" fill="{fill}"/>'
        for r, fill in ((110, "#20242f"), (98, "#3a4152"), (84, "#12151d"), (66, "#27446b"))
    )
    marks = "".join(
        f'<rect x="197" y="78" width="6" height="10" rx="2" fill="#aab4c8" '
        f'transform="rotate({k * 30 + 90 * swing(t)} 200 180)"/>'
        for k in range(12)
    )
    return (
        background("#eef1f6", "#cfd8e6")
        + f'<path d="M200 180L{200 + reach + 90} {180 - dy}V{180 + dy}Z" fill="#4f7cff" opacity=".22"/>'
        + rings
        + marks
        + f'<circle cx="200" cy="180" r="{26 + 22 * wide}" fill="#6f9fe0"/>'
        + '<circle cx="176" cy="154" r="13" fill="#fff" opacity=".7"/>'
        + '<path d="M520 240l34-70 26 40 16-20 30 50Z" fill="#3d5a80"/>'
    )


def thirds(t: float) -> str:
    """A boat that sails to where two lines of the grid cross."""
    share = min(1.0, t * 1.5)
    ease = 1 - (1 - share) ** 3
    x = 320 + (427 - 320) * ease
    lines = "".join(
        f'<path d="M{WIDTH * k / 3} 0V360M0 {HEIGHT * k / 3}H640" stroke="#fff" '
        f'stroke-width="1.5" opacity="{0.25 + 0.55 * ease}"/>'
        for k in (1, 2)
    )
    return (
        background("#f6c9a8", "#f9e3cf")
        + '<circle cx="150" cy="120" r="30" fill="#f2785c"/>'
        + '<rect y="240" width="640" height="120" fill="#3b7a8c"/>'
        + f'<g transform="translate({x} 240) rotate({2 * math.sin(12 * t)})">'
        + '<path d="M-46 0H46L30 24H-30Z" fill="#29323f"/>'
        + '<path d="M0-6V-96L48-6Z" fill="#fff"/><path d="M-5-6V-76L-38-6Z" fill="#e4572e"/></g>'
        + lines
    )


def shutter(t: float) -> str:
    """A windmill that blurs as the exposure grows longer."""
    turn, blur = 360 * 1.5 * t, 1 + round(9 * swing(t))
    blades = "".join(
        f'<g transform="rotate({turn - 3.2 * k} 320 150)" opacity="{0.95 / (1 + 0.5 * k)}">'
        + "".join(
            f'<path d="M320 150l-9-104h26Z" fill="#fff" transform="rotate({120 * b} 320 150)"/>'
            for b in range(3)
        )
        + "</g>"
        for k in reversed(range(blur))
    )
    return (
        background("#3c6e9f", "#b9d7ea")
        + '<path d="M310 150h20l12 170h-44Z" fill="#e9eef3"/>'
        + '<path d="M0 310Q320 270 640 310V360H0Z" fill="#4c8c5a"/>'
        + blades
        + '<circle cx="320" cy="150" r="10" fill="#29323f"/>'
    )


def aperture(t: float) -> str:
    """An iris that opens while the lights behind it grow soft."""
    wide = swing(t)
    hole = 26 + 62 * wide
    spots = "".join(
        f'<circle cx="{60 + (k * 97) % 560}" cy="{40 + (k * 61) % 280}" r="{5 + 22 * wide}" '
        f'fill="{colour}" opacity="{0.95 - 0.6 * wide}"/>'
        for k, colour in enumerate(("#ffd166", "#ef476f", "#06d6a0", "#8ecae6") * 5)
    )
    blades = "".join(
        f'<path d="M{hole} 0L150 -40V120L{hole * 0.5} {hole * 0.87}Z" fill="{fill}" '
        f'transform="translate(320 180) rotate({60 * k + 24 * wide})"/>'
        for k, fill in enumerate(("#2b303c", "#343a48") * 3)
    )
    return (
        background("#171b2e", "#2c2446")
        + spots
        + '<defs><clipPath id="c"><circle cx="320" cy="180" r="128"/></clipPath></defs>'
        + '<circle cx="320" cy="180" r="140" fill="#11141c"/>'
        + '<circle cx="320" cy="180" r="128" fill="#f4efe6"/>'
        + f'<g clip-path="url(#c)">{blades}</g>'
    )


def white_balance(t: float) -> str:
    """A snowy mountain between blue and amber light, and the slider that decides."""
    warm = swing(t)
    return (
        background(mix("#4a78c9", "#e8a04c", warm), mix("#cfe2ff", "#ffeacb", warm))
        + f'<path d="M60 300L230 90 320 200 410 120 590 300Z" fill="{mix("#5a6f9c", "#8a6a55", warm)}"/>'
        + f'<path d="M230 90l-52 64 30-8 22 22 26-20 22 14ZM410 120l-38 36 26-4 14 14 30-12Z" '
        f'fill="{mix("#eaf2ff", "#fff4e0", warm)}"/>'
        + f'<rect y="300" width="640" height="60" fill="{mix("#dbe8fb", "#fff0d8", warm)}"/>'
        + '<rect x="440" y="30" width="160" height="10" rx="5" fill="#fff" opacity=".75"/>'
        + f'<circle cx="{448 + 144 * warm}" cy="35" r="12" fill="#29323f"/>'
    )


def portrait(t: float) -> str:
    """A face, and a lamp that goes around it."""
    side = math.cos(2 * math.pi * t)
    x = 320 + 230 * side
    return (
        background("#3a2e3f", "#6d4c5b")
        + f'<circle cx="{x}" cy="90" r="120" fill="#ffe8b5" opacity=".13"/>'
        + f'<circle cx="{x}" cy="90" r="26" fill="#ffe8b5"/>'
        + '<path d="M200 360Q210 268 320 262T440 360Z" fill="#2a6f77"/>'
        + '<rect x="294" y="222" width="52" height="60" rx="22" fill="#d99b77"/>'
        + '<ellipse cx="320" cy="170" rx="68" ry="84" fill="#e8b08c"/>'
        + '<defs><clipPath id="f"><ellipse cx="320" cy="170" rx="68" ry="84"/></clipPath></defs>'
        + f'<ellipse cx="{320 - 62 * side}" cy="176" rx="66" ry="96" fill="#8a4f45" '
        'opacity=".38" clip-path="url(#f)"/>'
        + '<path d="M248 160Q244 74 320 74T392 160Q380 112 340 108 276 112 248 160Z" fill="#2b1d1a"/>'
        + '<circle cx="296" cy="172" r="6" fill="#2b1d1a"/><circle cx="344" cy="172" r="6" fill="#2b1d1a"/>'
        + '<path d="M298 212Q320 228 342 212" stroke="#8a3b3b" stroke-width="5" fill="none" '
        'stroke-linecap="round"/>'
    )


def editing(t: float) -> str:
    """A picture whose curve is bent, and its histogram that follows."""
    bend = 46 * math.sin(2 * math.pi * t)
    bars = "".join(
        f'<rect x="{404 + 12 * k}" y="{318 - h}" width="9" height="{h}" rx="2" fill="#7aa2ff"/>'
        for k in range(16)
        for h in [14 + 56 * math.exp(-((k - 7.5 - bend / 12) ** 2) / 14)]
    )
    return (
        background("#1c2130", "#262d40")
        + '<rect x="40" y="40" width="330" height="280" rx="8" fill="#0f121a"/>'
        + f'<rect x="52" y="52" width="306" height="256" fill="{mix("#41608f", "#9fc4ea", 0.5 + bend / 120)}"/>'
        + f'<path d="M52 250L150 150 210 210 270 140 358 240V308H52Z" '
        f'fill="{mix("#22402f", "#5c9a6d", 0.5 + bend / 120)}"/>'
        + '<circle cx="290" cy="100" r="22" fill="#ffe08a"/>'
        + '<rect x="396" y="40" width="204" height="180" rx="8" fill="#0f121a"/>'
        + '<path d="M396 130H600M498 40V220" stroke="#313a52"/>'
        + f'<path d="M404 212C{470 - bend} {190 - bend} {526 - bend} {70 - bend} 592 48" fill="none" '
        'stroke="#ffd166" stroke-width="4" stroke-linecap="round"/>' + bars
    )


CLIPS = (
    Clip(
        "Light and exposure",
        "webm",
        6,
        (220.0, 277.2, 329.6),
        light,
        poster_at=0.45,
        captions={
            "en": ("The sun rises, and the valley is dark.", "At noon the light is hard.", "Dusk."),
            "es": ("Sale el sol y el valle está oscuro.", "A mediodía la luz es dura.", "Ocaso."),
        },
    ),
    Clip("White balance", "webm", 5, (196.0, 246.9, 293.7), white_balance, poster_at=0.3),
    Clip(
        "Choosing a lens",
        "mp4",
        5,
        (174.6, 220.0, 261.6),
        lens,
        poster_at=0.1,
        captions={"en": ("A wide lens sees much.", "A long lens brings it near.")},
    ),
    Clip("Aperture and depth of field", "webm", 7, (164.8, 207.7, 246.9), aperture, poster_at=0.35),
    Clip("Rule of thirds", "webm", 4, (207.7, 261.6, 311.1), thirds, poster_at=0.9),
    Clip("Shutter speed", "mp4", 4, (185.0, 233.1, 277.2), shutter, poster_at=0.2),
    Clip("Portrait basics", "webm", 6, (233.1, 293.7, 349.2), portrait, poster_at=0.08),
    Clip("Editing workflow", "webm", 8, (155.6, 196.0, 233.1), editing, poster_at=0.2),
)

CODECS = {
    "webm": ("-c:v", "libvpx-vp9", "-crf", "40", "-b:v", "0", "-c:a", "libopus", "-b:a", "24k"),
    "mp4": (
        "-c:v",
        "libx264",
        "-crf",
        "27",
        "-movflags",
        "+faststart",
        "-c:a",
        "aac",
        "-b:a",
        "40k",
    ),
}


def picture(clip: Clip, t: float) -> str:
    """One frame as a page: the scene, and the title in its corner."""
    return (
        f'<body style="margin:0"><svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">{clip.scene(t)}'
        f'<rect y="{HEIGHT - 52}" width="{WIDTH}" height="52" fill="#0b0e14" opacity=".55"/>'
        f'<text x="20" y="{HEIGHT - 19}" font-family="DejaVu Sans, sans-serif" font-size="22" '
        f'fill="#fff">{clip.title}</text></svg>'
    )


def draw(page: Page, clip: Clip, t: float, file: Path) -> None:
    """Let Chromium draw one frame."""
    page.set_content(picture(clip, t))
    page.screenshot(path=file)


def ffmpeg(*words: str) -> None:
    """Run ffmpeg quietly; its outputs carry no date and no name of its version."""
    quiet = ("-hide_banner", "-loglevel", "error", "-y")
    subprocess.run(["ffmpeg", *quiet, *words], check=True)


def caption(clip: Clip, language: str) -> str:
    """Write the captions in one language, and return the name of their file."""
    lines = clip.captions[language]
    step_ms = clip.duration_s * 1000 // len(lines)
    cues = [
        f"{at // 1000:02}.{at % 1000:03} --> {(at + step_ms) // 1000:02}.{(at + step_ms) % 1000:03}"
        for at in range(0, step_ms * len(lines), step_ms)
    ]
    text = "".join(
        f"\n00:{cue.replace('> ', '> 00:')}\n{line}\n"
        for cue, line in zip(cues, lines, strict=True)
    )
    name = f"{clip.name}.{language}.vtt"
    (FOLDER / name).write_text(f"WEBVTT\n{text}", encoding="utf-8")
    return name


def captions_of(clip: Clip) -> dict[str, str]:
    """The files of its captions, by language."""
    return {language: caption(clip, language) for language in clip.captions}


def make(page: Page, clip: Clip) -> dict[str, object]:
    """Draw, film and describe one clip."""
    film, poster = f"{clip.name}.{clip.kind}", f"{clip.name}.webp"
    frames = clip.duration_s * FRAMES_PER_S
    tone = "+".join(f"sin(2*PI*{pitch}*t)" for pitch in clip.chord)
    sound = (
        f"aevalsrc='0.03*({tone})*(0.8+0.2*sin(2*PI*0.5*t))':s=48000:d={clip.duration_s},"
        f"afade=in:d=0.6,afade=out:st={clip.duration_s - 1}:d=1"
    )
    with tempfile.TemporaryDirectory() as folder:
        for number in range(frames):
            draw(page, clip, number / frames, Path(folder) / f"{number:04}.png")
        still = Path(folder) / f"{int(clip.poster_at * frames):04}.png"
        plain = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact")
        ffmpeg(
            *("-framerate", str(FRAMES_PER_S), "-i", f"{folder}/%04d.png"),
            *("-f", "lavfi", "-i", sound, "-pix_fmt", "yuv420p", "-shortest"),
            *CODECS[clip.kind],
            *plain,
            str(FOLDER / film),
        )
        ffmpeg("-i", str(still), "-quality", "70", *plain, str(FOLDER / poster))
    return {
        "file": film,
        "poster": poster,
        "title": clip.title,
        "mime_type": f"video/{clip.kind}",
        "duration_s": float(clip.duration_s),
        "width": WIDTH,
        "height": HEIGHT,
        **({"captions": captions} if (captions := captions_of(clip)) else {}),
    }


def main() -> None:
    """Make all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        clips = [make(page, clip) for clip in CLIPS]
        browser.close()
    (FOLDER / "manifest.json").write_text(json.dumps(clips, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
