"""Requests made up from /openapi.json: whatever is sent, the answer is one that the schema tells of, and no 5xx.

A longer run, against a server that was started by `mien serve`: see docs/serve.md.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

CHECKED = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
)


@pytest.mark.slow
def test_answers_are_as_the_schema_says(live: str) -> None:
    schema = schemathesis.openapi.from_url(f"{live}/openapi.json")
    checked = list[str]()
    for found in schema.get_all_operations():
        operation = found.ok()

        @CHECKED
        @given(case=operation.as_strategy())
        def answers_as_told(case: schemathesis.Case) -> None:
            case.call_and_validate(timeout=60, excluded_checks=[positive_data_acceptance])  # what is in a file decides

        answers_as_told()
        checked.append(operation.label)
    assert {"POST /v1/analyze", "POST /v1/classify", "POST /v1/embed", "GET /v1/jobs/{id}"} < set(checked)
