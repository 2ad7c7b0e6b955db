"""An onnxruntime session on the CPU: how every ONNX file is opened here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.types import MienError

WARNINGS_ARE_QUIET = 3  # onnxruntime's severity from which it writes to stderr: errors


def open_session(weights: Path, *, threads: int) -> Any:
    """An onnxruntime.InferenceSession with that many threads, 0 for as many as there are cores."""
    import onnxruntime  # takes a while

    if not weights.is_file():
        raise MienError(f"no {weights}; install mien again if it is one of its own files, or name a file that is there")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = WARNINGS_ARE_QUIET
    try:
        return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class that it exports
        raise MienError(f"{weights} is not an ONNX file that onnxruntime can run: {error}") from error
