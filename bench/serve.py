"""`mien serve` under steady load: answers, how long they take, and whether its memory grows; as JSON.

    python bench/serve.py PICTURE... --video SHORT_VIDEO [--clients 8] [--seconds 240]

Starts the server itself. Of the clients, one sends the video to be analysed, waits for that, fetches the timeline and
deletes the job; the others send pictures to /v1/classify, and every tenth time texts to /v1/embed; each sends its next
request when it has its answer. Then comes a burst of four times as many requests at once as there are places. Memory
is what /metrics tells, sampled every two seconds: `start` and `end` are the medians of the first and the last fifth of
the samples after a warm-up of 30 seconds, in MB.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

WORDS = "happiness,sadness,anger,surprise"
WARM_UP_S = 30.0
PLACES = 16  # mien.serve.settings.Limits.requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=240.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--folder", f"{folder}/serve"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        address = next(line for line in server.stderr if "mien serves" in line).split()[2]
        try:
            load = Load(address, [path.read_bytes() for path in args.pictures], args.video)
            report = load.steady(clients=args.clients, seconds=args.seconds) | {"burst": load.burst(4 * PLACES)}
        finally:
            server.terminate()
            server.communicate()
    report["left on the disk when it ended"] = len(list(Path(folder).glob("serve/run-*")))
    print(json.dumps(report, indent=1))


class Load:
    """Clients of one server, and what they were answered."""

    def __init__(self, address: str, pictures: list[bytes], video: Path) -> None:
        self.address = address
        self.pictures = pictures
        self.video = video
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)
        self.lock = threading.Lock()

    def steady(self, *, clients: int, seconds: float) -> dict:
        ends = time.monotonic() + seconds
        threads = [threading.Thread(target=self._analyse_until, args=(ends,))]
        threads += [threading.Thread(target=self._ask_until, args=(ends, i)) for i in range(clients - 1)]
        for thread in threads:
            thread.start()
        samples = list[tuple[float, dict[str, float]]]()
        while (now := time.monotonic()) < ends:
            samples.append((seconds - (ends - now), self._memory_mb()))
            time.sleep(2.0)
        for thread in threads:
            thread.join()
        return {
            "seconds": seconds,
            "clients": clients,
            "load average": round(os.getloadavg()[1], 1),
            "cores": os.cpu_count(),
            "endpoints": {name: self._summary(name) for name in self.seconds},
            "429": sum(counted[429] for counted in self.answers.values()),
            "errors": sum(n for counted in self.answers.values() for status, n in counted.items() if status >= 500),
            "memory_mb": grown([memory for at, memory in samples if at >= WARM_UP_S]),
        }

    def burst(self, count: int) -> dict[str, int]:
        """The answers to so many requests at the same time, by status."""

        def ask(number: int) -> int:
            content = self.pictures[number % len(self.pictures)]
            return httpx.post(f"{self.address}/v1/classify", files={"file": content}, timeout=300).status_code

        with ThreadPoolExecutor(count) as pool:
            return {str(status): n for status, n in sorted(Counter(pool.map(ask, range(count))).items())}

    def _ask_until(self, ends: float, client: int) -> None:
        http = httpx.Client(base_url=self.address, timeout=300)
        number = client
        while time.monotonic() < ends:
            number += 1
            if number % 10 == 0:
                self._post(http, "embed texts", "/v1/embed", json={"texts": WORDS.split(",")})
            else:
                files = {"file": ("picture", self.pictures[number % len(self.pictures)])}
                self._post(http, "classify", "/v1/classify", files=files, data={"words": WORDS})

    def _analyse_until(self, ends: float) -> None:
        http, content = httpx.Client(base_url=self.address, timeout=300), self.video.read_bytes()
        while time.monotonic() < ends:
            began = time.monotonic()
            sent = self._post(http, "analyze", "/v1/analyze", files={"file": (self.video.name, content)})
            at = f"/v1/jobs/{sent.json()['id']}"
            while (status := http.get(at).json()["status"]) in ("queued", "running"):
                time.sleep(0.5)
            if status == "done":
                http.get(f"{at}/timeline.json").raise_for_status()
            with self.lock:
                self.seconds["analysis done"].append(time.monotonic() - began)
                self.answers["analysis done"][200 if status == "done" else 500] += 1
            http.delete(at)

    def _post(self, http: httpx.Client, name: str, path: str, **what: Any) -> httpx.Response:
        began = time.monotonic()
        answer = http.post(path, **what)
        with self.lock:
            self.seconds[name].append(time.monotonic() - began)
            self.answers[name][answer.status_code] += 1
        return answer

    def _memory_mb(self) -> dict[str, float]:
        text = httpx.get(f"{self.address}/metrics", timeout=300).text
        found = re.findall(r'mien_resident_memory_bytes\{process="(\w+)"\} (\d+)', text)
        return {name: int(number) / 1e6 for name, number in found}

    def _summary(self, name: str) -> dict:
        cuts = (
            statistics.quantiles(self.seconds[name], n=20) if len(self.seconds[name]) > 1 else self.seconds[name] * 20
        )
        return {
            "requests": len(self.seconds[name]),
            "p50_s": round(cuts[9], 2),
            "p95_s": round(cuts[18], 2),
            "by status": {str(status): n for status, n in sorted(self.answers[name].items())},
        }


def grown(samples: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Of each process, memory at the start, at the end, and the most."""
    fifth = max(1, len(samples) // 5)
    told = {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        start, end = statistics.median(values[:fifth]), statistics.median(values[-fifth:])
        told[name] = {"start": round(start), "end": round(end), "most": round(max(values))}
    return told


if __name__ == "__main__":
    main()
