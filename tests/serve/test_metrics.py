"""Numbers in Prometheus' text format."""

from __future__ import annotations

import os
import re

from mien.serve.metrics import Metrics, resident_bytes

LINE = re.compile(r'# (HELP|TYPE) \S+ .+|[a-z_]+(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? \d+(\.\d+)?(e[+-]\d+)?')


def text(metrics: Metrics) -> str:
    return metrics.text(jobs={"queued": 2}, requests=1, pids={"jobs": [os.getpid()]}, replaced=3)


def test_requests_are_counted_and_timed_by_endpoint() -> None:
    metrics = Metrics()
    for seconds in (0.005, 0.2, 0.2, 500.0):
        metrics.count(method="POST", endpoint="/v1/classify", status=200, seconds=seconds)
    lines = text(metrics).splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert 'mien_requests_total{method="POST",endpoint="/v1/classify",status="200"} 4' in lines
    buckets = [line.rsplit(" ", 1) for line in lines if "_bucket" in line]
    told = {key.split('le="')[1][:-2]: int(number) for key, number in buckets}
    assert (told["0.01"], told["0.1"], told["0.25"], told["120.0"], told["+Inf"]) == (1, 1, 3, 3, 4)
    assert 'mien_request_seconds_sum{endpoint="/v1/classify"} 500.405' in lines
    assert 'mien_jobs{status="queued"} 2' in lines


def test_methods_that_clients_make_up_are_one() -> None:
    metrics = Metrics()
    for name in ("BREW", "FETCH"):
        metrics.count(method=name, endpoint="none", status=405, seconds=0.0)
    assert 'mien_requests_total{method="other",endpoint="none",status="405"} 2' in text(metrics)


def test_memory_is_that_of_the_process() -> None:
    assert 10e6 < resident_bytes(os.getpid()) < 1e11
    assert resident_bytes(2**22 + 1) == 0
