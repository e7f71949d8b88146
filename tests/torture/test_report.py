"""A report says what was made, what could not be, and what did not hold, in all its forms."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from .__main__ import write_evidence
from .faults import KINDS, Record
from .finding import Finding
from .report import Report
from .schedule import Entry


@pytest.fixture
def report():
    records = [Record(Entry(3.0, "kill", "worker-1", {}, 2.0), 3.1, 5.2, 1),
               Record(Entry(9.0, "kill", "worker-2", {}, 2.0), problem="passed over"),
               Record(Entry(9.5, "cut", "*/kafka", {}, 0.1), 9.5, 10.2, 17)]
    findings = [Finding("decided once", True, 10, []), Finding("no orphan", False, 7, [f"server {n}" for n in range(9)],
                                                             stories={"user-1": ["provision"]})]
    about = {"seed": 4, "date": "2026-01-01", "minutes": 3, "events": 10, "workers": 2, "ingresses": 2}
    return Report(about, records, {"sent": 10, "2xx": 9}, findings, {"wal-full": "nothing can be mounted"})


def test_one_violation_is_enough(report):
    assert not report.held
    report.findings.pop()
    assert report.held


def test_the_table_counts_what_was_made_and_names_what_was_not(report):
    rows = {row[0]: row for row in report.rows(KINDS)}
    assert set(rows) == set(KINDS)
    assert rows["kill"][2] == "1" and "worker-1 1" in rows["kill"][4] and rows["kill"][5] == "passed over"
    assert rows["cut"][4] == "17 connections: */kafka 1"
    assert "not possible here: nothing can be mounted" in rows["wal-full"][4]


def test_the_text_shows_the_first_violations_only(report):
    text = report.text(KINDS)
    assert "VIOLATED no orphan (7)" in text and "held     decided once (10)" in text
    assert "server 4" in text and "server 5" not in text and "and 4 more" in text


def test_the_markdown_is_tables(report):
    lines = report.markdown(KINDS).splitlines()
    assert lines[0] == "### Seed 4: VIOLATED"
    assert "| no orphan | 7 | VIOLATED |" in lines
    assert all(line.startswith("|") and line.endswith("|") for line in lines if "|" in line)


def test_json_has_everything(report, tmp_path):
    report.write_json(tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert document["held"] is False and len(document["faults"]) == 3
    assert document["findings"][1]["violations"][-1] == "server 8"
    assert document["findings"][1]["stories"] == {"user-1": ["provision"]}


def test_evidence_is_what_was_found_and_what_was_sent(report, tmp_path):
    (tmp_path / "load.jsonl").write_text("sent\n", encoding="utf-8")
    write_evidence(tmp_path, report)
    assert json.loads((tmp_path / "violations.json").read_text(encoding="utf-8")) == report.as_json()
    assert (tmp_path / "load-violated.jsonl").read_text(encoding="utf-8") == "sent\n"


def test_junit_has_a_case_for_each_invariant(report, tmp_path):
    report.write_junit(tmp_path / "torture.xml", 90)
    suite = ElementTree.parse(tmp_path / "torture.xml").getroot()
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert [case.get("name") for case in suite] == ["faults were made", "decided once", "no orphan"]
    assert failed == ["no orphan"] and suite.get("failures") == "1"


def test_a_run_whose_faults_all_failed_is_a_failed_test(report, tmp_path):
    for record in report.records:
        record.problem = "OSError: no"
    report.write_junit(tmp_path / "torture.xml", 90)
    cases = ElementTree.parse(tmp_path / "torture.xml").getroot()
    assert cases[0].find("failure") is not None
