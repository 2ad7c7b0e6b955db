"""What the endpoints answer, as /openapi.json tells it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from mien.serve.jobs import Job, Status


class ErrorText(BaseModel):
    message: str


class ErrorAnswer(BaseModel):
    """Every answer from 400 on."""

    error: ErrorText


class HealthAnswer(BaseModel):
    status: str = "ok"
    version: str


class JobAnswer(BaseModel):
    """How far an analysis is: `done` of `total` of `stage`. `error` is why it failed."""

    id: str
    status: Status
    stage: str
    done: int
    total: int
    error: str | None

    @classmethod
    def of(cls, job: Job) -> JobAnswer:
        return cls(id=job.id, status=job.status, stage=job.stage, done=job.done, total=job.total, error=job.error)


class FaceAnswer(BaseModel):
    """One face of a picture, or one person's face in a stretch of a video."""

    box: list[float] = Field(description="x0, y0, x1, y1 in pixels of the file as it is displayed.")
    scores: dict[str, float] = Field(description="A probability a word; they sum to one.")
    top: str = Field(description="The word of the highest score.")
    person: int = Field(description="The same person, or face without a body, has the same number.")
    start_s: float | None = Field(None, description="Of videos: when this stretch's first face was seen.")
    end_s: float | None = None


class FacesAnswer(BaseModel):
    faces: list[FaceAnswer]


class EmbeddingsAnswer(BaseModel):
    """Embeddings of length one, so that their product is their cosine."""

    embeddings: list[list[float]]
    boxes: list[list[float] | None] = Field(description="The faces' boxes; null for whole pictures, none for texts.")
    model: str
