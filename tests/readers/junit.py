"""Holds junit.xml, as two parsers of others read it, against report.json of the same run."""

import json
import sys
from pathlib import Path

from junit2htmlreport.parser import Junit
from junitparser import Error, Failure, JUnitXml, Skipped

folder = Path(sys.argv[1])
report = json.loads((folder / "report.json").read_bytes())


def expected():
    """The names of the cases by what they must count as."""
    kinds = {"failed": set(), "errors": set(), "skipped": set(), "passed": set()}
    of_verdict = {
        "pass": "passed",
        "recorded": "passed",
        "deviation": "passed",
        "fail": "failed",
        "not_exercised": "skipped",
        "not_applicable": "skipped",
        "not_tested": "skipped",
        "blocked": "errors",
        "error": "errors",
    }
    for row in report["requirements"]:
        kinds[of_verdict[row["verdict"]]].add(row["id"])
    conform = report.get("conform") or {"not_tested": [], "device": []}
    for row in conform["not_tested"]:
        kinds["skipped"].add(row["id"])
    for row in conform["device"]:
        kinds["errors" if row["violated"] or not row["armed"] else "passed"].add(row["id"])
    decided = report["footer"]["complete"] and report["exit_code"] in (0, 1)
    kinds["passed" if decided else "errors"].add("run")
    return kinds


def by_junitparser(path):
    kinds = {"failed": set(), "errors": set(), "skipped": set(), "passed": set()}
    of_class = {Failure: "failed", Error: "errors", Skipped: "skipped"}
    xml = JUnitXml.fromfile(str(path))
    for suite in xml:
        for case in suite:
            assert len(case.result) <= 1, f"{case.name}: {len(case.result)} outcomes"
            kind = of_class[type(case.result[0])] if case.result else "passed"
            kinds[kind].add(case.name)
            assert case.result == [] or case.result[0].message, f"{case.name}: no message"
        counted = [suite.tests, suite.failures, suite.errors, suite.skipped]
        suite.update_statistics()
        counts = [suite.tests, suite.failures, suite.errors, suite.skipped]
        assert counted == counts, f"{suite.name}: {counted} written, {counts} counted"
    return kinds


def by_junit2html(path):
    cases = [case for suite in Junit(str(path)).suites for case in suite.all()]
    # This reader does not tell errors from failures.
    names = lambda test: {case.name for case in cases if test(case)}
    return {
        "failed": names(lambda case: case.failed()),
        "skipped": names(lambda case: case.skipped),
        "passed": names(lambda case: not case.failed() and not case.skipped),
    }


wanted = expected()
path = folder / "junit.xml"
found = by_junitparser(path)
assert found == wanted, f"junitparser: {found} instead of {wanted}"
merged = {
    "failed": wanted["failed"] | wanted["errors"],
    "skipped": wanted["skipped"],
    "passed": wanted["passed"],
}
found = by_junit2html(path)
assert found == merged, f"junit2html: {found} instead of {merged}"
