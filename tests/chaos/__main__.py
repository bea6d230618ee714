"""``make chaos``: one run, whose last line of output is JSON.

``DURATION_S`` (300), ``SEED`` (by chance), ``DATABASE`` (``sqlite`` or ``postgresql``) and
``BROWSERS`` (240) set what it does. Exits with 1 when something was lost or
went back, and tells the story first.
"""

import json
import os
import secrets
import sys

from tests.chaos.run import Outcome, Run, perform

_STORIES = 10


def main() -> int:
    """Run once as the environment says; returns the exit code."""
    database = os.environ.get("DATABASE") or "sqlite"
    if database not in ("sqlite", "postgresql"):
        sys.exit(f"DATABASE is “{database}”. It may be sqlite or postgresql.")
    run = Run(
        seed=int(os.environ.get("SEED") or secrets.randbelow(10_000)),
        duration_s=float(os.environ.get("DURATION_S") or "300"),
        database="postgresql" if database == "postgresql" else "sqlite",
        browsers=int(os.environ.get("BROWSERS") or "240"),
    )
    print(f"seed {run.seed}, {run.duration_s:g} s, {run.database}", flush=True)
    outcome = perform(run, lambda text: print(text, flush=True))
    tell(outcome)
    print(json.dumps(outcome.line), flush=True)
    return 1 if outcome.verdict.stories else 0


def tell(outcome: Outcome) -> None:
    """Print what a person needs to find the cause of what was found."""
    stories = outcome.verdict.stories
    for story in stories[:_STORIES]:
        print(f"\n{story}")
    if len(stories) > _STORIES:
        print(f"\n… and {len(stories) - _STORIES} more")
    if stories:
        print(
            f"\nAgain: DURATION_S={outcome.run.duration_s:g} SEED={outcome.run.seed} make chaos\n"
        )


if __name__ == "__main__":
    sys.exit(main())
