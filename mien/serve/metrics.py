"""Numbers for Prometheus, in its text format: requests, how long they took, jobs, processes, memory."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Labels = Mapping[str, str]


class Metrics:
    """Counts since the server's start. Endpoints are routes' templates, so that there are few of them."""

    def __init__(self) -> None:
        self._requests = Counter[tuple[str, str, str]]()
        self._in_bucket: dict[str, list[int]] = {}
        self._seconds = Counter[str]()
        self._lock = threading.Lock()

    def count(self, *, method: str, endpoint: str, status: int, seconds: float) -> None:
        method = method if method in METHODS else "other"  # clients make up what they like
        with self._lock:
            self._requests[method, endpoint, str(status)] += 1
            buckets = self._in_bucket.setdefault(endpoint, [0] * (len(BUCKETS_S) + 1))
            buckets[bisect_left(BUCKETS_S, seconds)] += 1
            self._seconds[endpoint] += seconds  # type: ignore[assignment]

    def text(self, *, jobs: Mapping[str, int], requests: int, pids: Mapping[str, list[int]], replaced: int) -> str:
        """All of it. jobs: how many have each status. requests: those at work. pids: the working processes by kind."""
        memory = [({"process": "server"}, resident_bytes(os.getpid()))]
        memory += [({"process": kind}, sum(map(resident_bytes, those))) for kind, those in pids.items()]
        counted = [
            ({"method": method, "endpoint": endpoint, "status": status}, n)
            for (method, endpoint, status), n in sorted(self._requests.items())
        ]
        return "".join(
            [
                _family("mien_requests_total", "counter", "Requests answered.", counted),
                self._histogram("mien_request_seconds"),
                _family("mien_requests_at_work", "gauge", "Uploads, and requests answered at once.", [({}, requests)]),
                _family("mien_jobs", "gauge", "Analyses by status.", [({"status": s}, n) for s, n in jobs.items()]),
                _family("mien_processes_replaced_total", "counter", "Working processes replaced.", [({}, replaced)]),
                _family("mien_resident_memory_bytes", "gauge", "Resident memory.", memory),
            ]
        )

    def _histogram(self, name: str) -> str:
        rows: list[tuple[str, Labels, float]] = []
        for endpoint, buckets in sorted(self._in_bucket.items()):
            upto = 0
            for bound, number in zip([*map(str, BUCKETS_S), "+Inf"], buckets, strict=True):
                upto += number
                rows.append((f"{name}_bucket", {"endpoint": endpoint, "le": bound}, upto))
            rows.append((f"{name}_sum", {"endpoint": endpoint}, round(self._seconds[endpoint], 6)))
            rows.append((f"{name}_count", {"endpoint": endpoint}, upto))
        lines = "".join(_line(*row) for row in rows)
        return f"# HELP {name} From the request's first byte to the answer's last.\n# TYPE {name} histogram\n{lines}"


def resident_bytes(pid: int) -> int:
    """Of one process; 0 where it is gone, or the system does not tell (only Linux does)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _family(name: str, kind: str, help_: str, rows: Iterable[tuple[Labels, float]]) -> str:
    lines = "".join(_line(name, labels, value) for labels, value in rows)
    return f"# HELP {name} {help_}\n# TYPE {name} {kind}\n{lines}"


def _line(name: str, labels: Labels, value: float) -> str:
    inner = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{inner}}} {value}\n" if inner else f"{name} {value}\n"
