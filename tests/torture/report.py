"""What a run was and what came of it: for people, as markdown, as JSON and as JUnit's XML."""

import collections
import dataclasses
import json
import pathlib
import xml.etree.ElementTree as ElementTree

from .finding import Finding

VIOLATIONS_SHOWN = 5
TIMES_SHOWN = 8


@dataclasses.dataclass
class Report:
    about: dict  # seed, minutes, events, workers, ingresses, date
    records: list  # faults.Record
    counts: dict
    findings: list
    impossible: dict  # kind: why it was not made

    @property
    def held(self):
        return all(finding.held for finding in self.findings)

    def rows(self, kinds):
        """One row a kind of fault: (name, what, how often, when in s, what it hit, problems)."""
        of_kind = collections.defaultdict(list)
        for record in self.records:
            of_kind[record.entry.fault].append(record)
        rows = []
        for name, kind in kinds.items():
            records = of_kind.get(name, [])
            if name in self.impossible:
                rows.append((name, kind.what, "–", "", f"not possible here: {self.impossible[name]}", ""))
                continue
            made = [record for record in records if not record.problem]
            when = ", ".join(f"{record.entry.at_s:.0f}" for record in records[:TIMES_SHOWN])
            when += " …" if len(records) > TIMES_SHOWN else ""
            targets = collections.Counter(record.entry.target for record in made)
            hits = f"{sum(record.hits for record in made)} {kind.unit}" if made else ""
            hits += ": " + ", ".join(f"{target} {count}" for target, count in sorted(targets.items())) if made else ""
            problems = "; ".join(sorted({record.problem for record in records if record.problem}))
            rows.append((name, kind.what, str(len(made)), when, hits, problems))
        return rows

    def headline(self):
        return ", ".join(f"{name} {value}" for name, value in self.about.items())

    def markdown(self, kinds):
        lines = [f"### Seed {self.about['seed']}: {'all invariants held' if self.held else 'VIOLATED'}", "",
                 self.headline() + ".", "", "| fault | made | at (s) | hit |", "|---|---|---|---|"]
        lines += [f"| {what} | {count} | {when} | {hits}{' (' + problems + ')' if problems else ''} |"
                  for _name, what, count, when, hits, problems in self.rows(kinds)]
        lines += ["", "| count | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in self.counts.items()]
        lines += ["", "| invariant | looked at | |", "|---|---|---|"]
        lines += [f"| {finding.invariant} | {finding.checked} | {'held' if finding.held else 'VIOLATED'} |"
                  for finding in self.findings]
        return "\n".join(lines) + "\n"

    def text(self, kinds):
        lines = ["", self.headline(), "", "faults"]
        for name, _what, count, when, hits, problems in self.rows(kinds):
            lines.append(f"  {name:<17} {count:>3}  {hits:<60}  at {when}" if when else f"  {name:<17} {count:>3}  {hits}")
            lines += [f"  {'':<22} {problems}"] if problems else []
        lines += ["", "counts"] + [f"  {name:<28} {value}" for name, value in self.counts.items()]
        lines += ["", "invariants"]
        for finding in self.findings:
            lines.append(f"  {'held    ' if finding.held else 'VIOLATED'} {finding.invariant} ({finding.checked})")
            lines += [f"             {line}" for line in finding.violations[:VIOLATIONS_SHOWN]]
            more = len(finding.violations) + finding.more - VIOLATIONS_SHOWN
            lines += [f"             and {more} more"] if more > 0 else []
        return "\n".join(lines) + "\n"

    def as_json(self):
        return {"about": self.about, "held": self.held, "counts": self.counts, "impossible": self.impossible,
                "faults": [{**dataclasses.asdict(record.entry), "began_s": record.began_s, "ended_s": record.ended_s,
                            "hits": record.hits, "problem": record.problem} for record in self.records],
                "findings": [{"invariant": finding.invariant, "held": finding.held, "checked": finding.checked,
                              "violations": list(finding.violations), "stories": finding.stories}
                             for finding in self.findings]}

    def write_json(self, path):
        pathlib.Path(path).write_text(json.dumps(self.as_json(), indent=1, default=str) + "\n", encoding="utf-8")

    def write_junit(self, path, seconds):
        """A test case for each invariant, and one for the storm: that faults were made at all."""
        suite = ElementTree.Element("testsuite", name="torture", time=f"{seconds:.1f}")
        storm = Finding("faults were made", any(not record.problem for record in self.records), len(self.records),
                        [record.problem for record in self.records if record.problem])
        for finding in [storm, *self.findings]:
            case = ElementTree.SubElement(suite, "testcase", classname="torture", name=finding.invariant, time="0")
            if not finding.held:
                failure = ElementTree.SubElement(case, "failure", message=f"{len(finding.violations) + finding.more} violations")
                failure.text = "\n".join(map(str, finding.violations))
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(sum(case.find("failure") is not None for case in suite)))
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
