"""The alerts that operators are given ask for metrics that exist, in PromQL's own way."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from core.telemetry.metrics import Declared, Metrics

DOCS = Path(__file__).resolve().parent.parent / "docs"
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
METRICS = {
    declared.name + ending: declared
    for declared in Metrics().declared.values()
    for ending in ENDINGS[declared.kind]
}
FUNCTIONS = {"sum", "max", "rate", "increase", "histogram_quantile", "topk"}


def rules() -> list[dict[str, Any]]:
    """The rules of the file, as Prometheus would read them."""
    groups = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def questions() -> list[str]:
    """Every expression of the file and of the page."""
    page = (DOCS / "metrics.md").read_text()
    shown = re.findall(r"^```promql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [rule["expr"] for rule in rules()] + [q for block in shown for q in block.splitlines()]


def labels_of(declared: Declared) -> set[str]:
    return {*declared.labels, "worker", *(["le"] if declared.kind == "histogram" else [])}


@pytest.mark.parametrize("question", questions())
def test_a_question_names_metrics_and_labels_that_exist(question: str) -> None:
    named = re.findall(r"\b(coursewire_\w+)(?:\{([^}]*)\})?(\[\w+\])?", question)
    grouped = {
        label.strip() for by in re.findall(r"\bby \(([^)]*)\)", question) for label in by.split(",")
    }

    assert named or question == 'up{job="coursewire"} == 0'
    for name, matchers, over in named:
        assert name in METRICS
        labels = labels_of(METRICS[name])
        assert {m.partition("=")[0].rstrip("!") for m in matchers.split(",") if m} <= labels
        assert grouped <= labels
        # What only grows is asked for over a time, and a gauge is not.
        assert bool(over) == (METRICS[name].kind != "gauge")
    assert question.count("(") == question.count(")")
    assert set(re.findall(r"\b(\w+)\(", question)) <= FUNCTIONS


def test_every_alert_stands_in_the_page_with_what_to_do() -> None:
    page = (DOCS / "metrics.md").read_text()
    told = re.findall(r"^\| `(Coursewire\w+)` \| .+ \| .+ \|$", page, re.MULTILINE)
    found = rules()

    assert told == [rule["alert"] for rule in found]
    assert len(found) == len(set(told))
    for rule in found:
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0m"))
        assert rule["annotations"]["summary"]
