"""Requests made up from /openapi.json: whatever is sent, the answer is one that the schema tells of, and no 5xx.

A longer run, against a server that was started by `mien serve`: see docs/serve.md.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings


@pytest.fixture
def api(live: str) -> schemathesis.schemas.BaseSchema:
    return schemathesis.openapi.from_url(f"{live}/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_the_schema_says(case: schemathesis.Case) -> None:
    case.call_and_validate()
