"""Asks an advisory service which locked packages have known holes; arguments go on to pip-audit.

A hole fails. That the service cannot be reached, or does not know a package, is no hole: it is
said, and fails nothing, so that a network never stops a release.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
_TIMEOUT_S = 300


def main(arguments: list[str]) -> int:
    """Look at both lock files; the exit code."""
    holes = sum(_look(lock, arguments) for lock in LOCKS)
    return 1 if holes else 0


def _look(lock: str, arguments: list[str]) -> int:
    """Say what is known of the packages of *lock*; how many holes that is."""
    found, why = _asked(lock, arguments)
    if found is None:
        print(f"NOT AUDITED: {lock}. The advisory service gave no answer: {why}")
        return 0
    skipped = [package["name"] for package in found if "skip_reason" in package]
    if skipped:
        print(
            f"NOT AUDITED: {len(skipped)} of {len(found)} packages of {lock}, which the advisory "
            f"service does not know: {', '.join(skipped)}"
        )
    holes = [(package, hole) for package in found for hole in package.get("vulns", ())]
    for package, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"HOLE: {package['name']} {package['version']}: {hole['id']}. Fixed in {fixed}.")
    if not holes and len(skipped) < len(found):
        print(f"{lock}: no known hole in {len(found) - len(skipped)} packages that were looked at.")
    return len(holes)


def _asked(lock: str, arguments: list[str]) -> tuple[list[dict[str, Any]] | None, str]:
    """What pip-audit says of each package; ``None``, and why, when nothing could be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / lock)]
    command += ["--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    try:
        ran = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"it took longer than {_TIMEOUT_S} s."
    try:
        packages: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    except (ValueError, LookupError):
        return None, (ran.stderr.strip().splitlines() or ["it said nothing."])[-1]
    return packages, ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
