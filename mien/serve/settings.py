"""What `mien serve` can be told: where it listens, whom it serves, and how much it takes on."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator

from mien.config import Config
from mien.errors import MienError

MiB = 1024 * 1024


class Limits(Config):
    """How much one request, or all together, may ask for. What asks for more is refused before it is worked on."""

    upload_bytes: PositiveInt = 1024 * MiB
    picture_pixels: PositiveInt = 64_000_000
    """Width times height; today's telephones take 50 million."""
    video_pixels: PositiveInt = 4096 * 2304
    """Width times height of a video's pictures."""
    video_s: PositiveFloat = 3600.0
    video_frames: PositiveInt = 240_000
    """An hour at 60 a second has 216,000."""
    classify_s: PositiveFloat = 30.0
    """The longest video that is answered at once (/v1/classify); longer ones are for /v1/analyze."""
    words: PositiveInt = 32
    word_chars: PositiveInt = 60
    texts: PositiveInt = 64
    text_chars: PositiveInt = 1000
    upload_s: PositiveFloat = 600.0
    """How long an upload may take."""
    request_s: PositiveFloat = 120.0
    """How long the work for a request that is answered at once may take, waiting included."""
    job_s: PositiveFloat = 2 * 3600.0
    """How long an analysis may take, waiting not included."""
    requests: PositiveInt = 16
    """Uploads, and requests that are answered at once: so many at a time, of which some wait."""
    queued_jobs: PositiveInt = 16
    """Analyses that wait, beside those that are worked on."""
    keep_s: PositiveFloat = 3600.0
    """How long results are kept."""
    memory_bytes: PositiveInt = 8 * 1024 * MiB
    """Of each working process: one that needs more fails at that."""
    tasks_a_process: PositiveInt = 500
    """After so many a working process is replaced, lest what decoders leak adds up."""


class ServeSettings(Config):
    """The whole server's. Without a token only this machine is served, unless `allow_anyone` says otherwise."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0: any that is free."""
    token: SecretStr | None = None
    """What clients must send as `Authorization: Bearer TOKEN`; spaces and line ends around it do not count."""
    allow_anyone: bool = False
    folder: Path | None = None
    """Where uploads and results lie while they are needed; of this user, in the temporary folder, by default."""
    face_model: str = "face"
    """A model folder, `hf:OWNER/NAME`, or the one that comes with the package."""
    model: str | None = None
    """A video model as well, for bodies and scenes."""
    jobs_at_once: PositiveInt = 1
    """Analyses, each in a process of its own."""
    requests_at_once: PositiveInt = 1
    """Requests that are answered at once, each in a process of its own."""
    limits: Limits = Limits()

    @field_validator("token")
    @classmethod
    def _stripped(cls, token: SecretStr | None) -> SecretStr | None:
        return token and SecretStr(token.get_secret_value().strip())

    @property
    def threads(self) -> int:
        """Of each working process, so that all together are as many as the processor has cores."""
        return max(1, (os.cpu_count() or 1) // (self.jobs_at_once + self.requests_at_once))


def require_guarded(settings: ServeSettings) -> None:
    """Raise MienError where other machines could use a server that asks for no token."""
    if settings.token is not None and not settings.token.get_secret_value().isascii():
        raise MienError("the token has letters that HTTP's headers cannot carry; use ASCII ones")
    if settings.token is not None and len(settings.token.get_secret_value()) < 16:
        raise MienError(
            "the token is shorter than 16 characters; one is made by "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    if settings.token is None and not settings.allow_anyone and not is_loopback(settings.host):
        raise MienError(
            f"--host {settings.host} lets other machines in, and there is no token: set MIEN_TOKEN (or --token), or "
            "say --allow-anyone where the network is to be trusted"
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
