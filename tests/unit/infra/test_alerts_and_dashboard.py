"""Alerts and dashboard: they ask for metrics that a worker really tells, by labels and states that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streams.adapters.status import AgentState, ModelState
from streams.adapters.telemetry import Telemetry

INFRA = Path(__file__).parents[3] / "infra"
PROMETHEUS = INFRA / "prometheus"
JOB = "nvr-streams"
MADE_BY_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate"}}
OF_THE_SCRAPE = {"job", "instance"}

FUNCTIONS = {"sum", "max", "avg", "count", "rate", "increase", "deriv", "vector"} | {
    "avg_over_time",
    "min_over_time",
    "histogram_quantile",
}
WORDS = {"by", "on", "and", "or", "unless", "offset", "bool"}


def read_yaml(*parts: str):
    return yaml.safe_load(INFRA.joinpath(*parts).read_text(encoding="utf-8"))


def rules() -> list[dict]:
    return [rule for group in read_yaml("prometheus", "alerts.yaml")["groups"] for rule in group["rules"]]


def alerts() -> list[dict]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard() -> dict:
    return json.loads((INFRA / "grafana" / "dashboard.json").read_text(encoding="utf-8"))


def shown() -> list[str]:
    """Everything that the dashboard asks for."""
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def expressions() -> list[str]:
    return [*(rule["expr"] for rule in rules()), *shown()]


@cache
def told() -> dict[str, set[str]]:
    """Every sample that a worker tells of once it has seen everything happen, with its labels."""
    telemetry = Telemetry("porch")
    agent, model = telemetry.agent("track"), telemetry.model("image")
    agent.lag("events", 0, 3)
    agent.dead_letter("bug")
    agent.failed("index")
    model.provider("CPUExecutionProvider")
    telemetry.work("image_embedding").done(0.1)
    with agent.phase("decode"):
        pass
    with agent.waiting("index"):
        text = telemetry.exposition().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


@cache
def known() -> dict[str, set[str]]:
    recorded = {
        rule["record"]: set(re.findall(r"\w+", rule["expr"])) & {"agent"} for rule in rules() if "record" in rule
    }
    return {**told(), **recorded, **MADE_BY_PROMETHEUS}


def without_strings(expr: str) -> str:
    return re.sub(r'"[^"]*"', '""', expr)


def metrics(expr: str) -> set[str]:
    """The names in an expression that are neither functions, words, labels nor ranges of time."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on)\s*\([^)]*\)", " ", without_strings(expr))
    return set(re.findall(r"[A-Za-z_:][\w:]*", re.sub(r"\b\d\w*", " ", bare))) - FUNCTIONS - WORDS


def selectors(expr: str) -> list[tuple[str, dict[str, str]]]:
    found = re.findall(r"([A-Za-z_:][\w:]*)\{([^}]*)\}", expr)
    return [(name, dict(re.findall(r'(\w+)\s*=~?\s*"([^"]*)"', inside))) for name, inside in found]


def grouped(expr: str) -> set[str]:
    return {label for inside in re.findall(r"\bby\s*\(([^)]*)\)", expr) for label in re.findall(r"\w+", inside)}


@pytest.mark.parametrize("expr", expressions())
def test_every_metric_is_one_that_a_worker_tells(expr):
    assert metrics(expr)
    assert metrics(expr) <= set(known())


@pytest.mark.parametrize("expr", expressions())
def test_every_label_is_one_of_the_metric(expr):
    for name, labels in selectors(expr):
        assert set(labels) <= known()[name] | OF_THE_SCRAPE
    assert grouped(expr) <= set().union(*(known()[name] for name in metrics(expr))) | OF_THE_SCRAPE


@pytest.mark.parametrize("expr", expressions())
def test_every_state_is_one_that_there_is(expr):
    for name, labels in selectors(expr):
        if "state" in labels:
            states = AgentState if name == "nvr_streams_agent_state" else ModelState
            assert labels["state"] in {str(state) for state in states}
        assert labels.get("job", JOB) == JOB


@pytest.mark.parametrize("expr", expressions())
def test_brackets_close(expr):
    bare = re.sub(r"[^()\[\]{}]", "", without_strings(expr))
    while (closed := re.sub(r"\(\)|\[\]|\{\}", "", bare)) != bare:
        bare = closed
    assert not bare


def test_panels_show_the_growth_of_counters_or_say_since_when_they_count():
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            grows = re.search(r"\b(rate|increase)\(", target["expr"])
            assert "_total" not in target["expr"] or grows or "since the workers started" in panel["description"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_have_what_prometheus_takes_and_no_more(rule):
    allowed = {"record", "expr"} if "record" in rule else {"alert", "expr", "for", "labels", "annotations"}
    assert {"expr"} < set(rule) <= allowed
    if "for" in rule:
        assert re.fullmatch(r"[1-9]\d*[smhd]", rule["for"])


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alerts_say_what_is_wrong_and_what_to_do(alert):
    assert re.fullmatch(r"([A-Z][a-z]+)+", alert["alert"])
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "action"}
    assert all(text.strip() for text in alert["annotations"].values())


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_texts_name_labels_that_the_alert_has(alert):
    named = {label for text in alert["annotations"].values() for label in re.findall(r"\$labels\.(\w+)", text)}
    given = grouped(alert["expr"]) or set().union(*(known()[name] for name in metrics(alert["expr"]))) | OF_THE_SCRAPE
    assert named <= given


def test_what_must_not_pass_unseen_has_an_alert():
    asked = set().union(*(metrics(alert["expr"]) for alert in alerts()))
    assert asked >= {
        "up",
        "agent:nvr_streams_lag_messages:sum",
        "nvr_streams_agent_state",
        "nvr_streams_dead_letters_total",
        "nvr_streams_handled_messages_total",
        "nvr_streams_model_state",
        "nvr_streams_overtaken_messages_total",
        "nvr_streams_rewinds_total",
        "nvr_streams_waiting_seconds",
    }


def test_names_are_given_once():
    names = [rule.get("alert") or rule["record"] for rule in rules()]
    assert len(names) == len(set(names))


def test_every_alert_is_played():
    scenarios = (PROMETHEUS / "alerts.test.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r'alertname="(\w+)"', scenarios)) == {alert["alert"] for alert in alerts()}
    for series in re.findall(r"series: '([\w:]+)", scenarios):
        assert series in known()


def test_promtool_agrees_where_there_is_one():
    if promtool := shutil.which("promtool"):
        for check in (["check", "config", "prometheus.yaml"], ["test", "rules", "alerts.test.yaml"]):
            done = subprocess.run([promtool, *check], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_loaded_and_the_job_has_the_name_that_they_ask_for():
    config = read_yaml("prometheus", "prometheus.yaml")
    assert all((PROMETHEUS / file).exists() for file in config["rule_files"])
    assert [job["job_name"] for job in config["scrape_configs"]] == [JOB]


def test_panels_have_numbers_and_places_of_their_own():
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_asks_the_source_that_is_provisioned():
    [source] = read_yaml("grafana", "provisioning", "datasources", "prometheus.yaml")["datasources"]
    text = json.dumps(dashboard())
    assert set(re.findall(r'"type": "prometheus", "uid": "(\w+)"', text)) == {source["uid"]}
    variables = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert set(re.findall(r"\$(\w+)", text)) <= variables | {"__rate_interval", "__all"}
