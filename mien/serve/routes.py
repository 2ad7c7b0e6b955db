"""The endpoints of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel

from mien import __version__
from mien.hub_fetch import told_name
from mien.serve import metrics
from mien.serve.answers import EmbeddingsAnswer, ErrorAnswer, FaceAnswer, FacesAnswer, HealthAnswer, JobAnswer
from mien.serve.forms import (
    AnalyzeForm,
    ClassifyForm,
    EmbedForm,
    EmbedTextsForm,
    accepted_words,
    parse_form,
    parse_json,
    require_few,
)
from mien.serve.guard import MEDIA_HEADERS, REPORT_CSP
from mien.serve.refusal import Refused
from mien.serve.service import Service
from mien.serve.tasks import Classify, EmbedPicture, EmbedTexts, Look, ModelName
from mien.serve.uploads import is_form, received, received_json

RESULTS = {
    "timeline.json": "application/json",
    "analysis.json": "application/json",
    "timeline.csv": "text/csv; charset=utf-8",
    "timeline.jsonl": "application/x-ndjson",
    "timeline.parquet": "application/vnd.apache.parquet",
    "report.html": "text/html; charset=utf-8",
    "annotated.mp4": "video/mp4",
    "annotated.jpg": "image/jpeg",
}
"""The files of an analysis that are given out, and what they are."""

HEADERS_OF = {".html": {"Content-Security-Policy": REPORT_CSP}, ".mp4": MEDIA_HEADERS, ".jpg": MEDIA_HEADERS}
"""By a result's ending."""


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What else an endpoint may answer; what a guard refuses, it refuses everywhere."""
    return {status: {"model": ErrorAnswer} for status in (400, 401, 403, *statuses)}


def _body(form: type[BaseModel], *, also_json: type[BaseModel] | None = None) -> dict[str, Any]:
    """A form with a file, as OpenAPI tells it: the body is read by us, as it comes."""
    schema = form.model_json_schema()
    fields = {name: _never_null(told) for name, told in schema["properties"].items()}
    schema["properties"] = {"file": {"type": "string", "format": "binary"}, **fields}
    schema["required"] = ["file"]
    content = {"multipart/form-data": {"schema": schema}}
    if also_json is not None:
        content["application/json"] = {"schema": also_json.model_json_schema()}
    return {"requestBody": {"required": True, "content": content}}


def _never_null(told: dict[str, Any]) -> dict[str, Any]:
    """A field of a form may be left out, but has no null as JSON has."""
    kinds = [kind for kind in told.get("anyOf", ()) if kind != {"type": "null"}]
    return {key: value for key, value in told.items() if key not in ("anyOf", "default")} | (kinds[0] if kinds else {})


UPLOAD_ERRORS = _errors(408, 413, 415, 422, 429)
router = APIRouter()


def _service(request: Request) -> Service:
    return request.app.state.service


@router.get("/healthz", responses=_errors())
async def health(request: Request) -> HealthAnswer:
    """Whether the server works."""
    return HealthAnswer(version=__version__)


@router.get("/metrics", responses={**_errors(), 200: {"content": {"text/plain": {}}}}, response_class=Response)
async def prometheus(request: Request) -> Response:
    """Numbers for Prometheus."""
    return Response(_service(request).metrics_text(), headers={"Content-Type": metrics.CONTENT_TYPE})


@router.post(
    "/v1/classify",
    responses=UPLOAD_ERRORS,
    openapi_extra=_body(ClassifyForm),
    response_model_exclude_unset=True,
)
async def classify(request: Request) -> FacesAnswer:
    """Which of the words fits each face of a picture, or of a short video every two seconds."""
    service = _service(request)
    with service.place():
        async with received(request, service.folder, limits=service.limits) as upload:
            form = parse_form(ClassifyForm, upload.fields)
            words = accepted_words(form.words, limits=service.limits)
            task = Classify(path=upload.path, at_most_s=service.limits.classify_s, words=words)
            faces = await service.answer(request, task, folder=upload.folder)
    return FacesAnswer(faces=[FaceAnswer.model_validate(face) for face in faces])


@router.post("/v1/embed", responses=UPLOAD_ERRORS, openapi_extra=_body(EmbedForm, also_json=EmbedTextsForm))
async def embed(request: Request) -> EmbeddingsAnswer:
    """Embeddings of a picture's faces, of the whole picture, or (sent as JSON) of texts."""
    service = _service(request)
    with service.place():
        if is_form(request):
            return await _embed_picture(request, service)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "send a picture as multipart/form-data, or texts as application/json")
        form = parse_json(EmbedTextsForm, await received_json(request, limits=service.limits))
        task = EmbedTexts(texts=require_few(form.texts, limits=service.limits), model=form.model)
        rows = await service.answer(request, task, folder=service.folder)
    return EmbeddingsAnswer(embeddings=rows, boxes=[], model=_model_name(service, form.model))


async def _embed_picture(request: Request, service: Service) -> EmbeddingsAnswer:
    async with received(request, service.folder, limits=service.limits) as upload:
        form = parse_form(EmbedForm, upload.fields)
        of = form.of or ("faces" if form.model == "face" else "picture")
        task = EmbedPicture(path=upload.path, model=form.model, of=of)
        rows = await service.answer(request, task, folder=upload.folder)
    return EmbeddingsAnswer(
        embeddings=[row["embedding"] for row in rows],
        boxes=[row["box"] for row in rows],
        model=_model_name(service, form.model),
    )


@router.post("/v1/analyze", status_code=202, responses=UPLOAD_ERRORS, openapi_extra=_body(AnalyzeForm))
async def analyze(request: Request) -> JobAnswer:
    """Takes a video or picture, and says under which id it is analysed."""
    service = _service(request)
    with service.place(), service.jobs.place():
        async with received(request, service.folder, limits=service.limits) as upload:
            form = parse_form(AnalyzeForm, upload.fields)
            models = {"face_model": service.settings.face_model, "model": service.settings.model}
            settings = {**models, **form.settings(service.limits)}
            look = Look(path=upload.path, at_most_s=service.limits.video_s, analysis=settings)
            path = await service.answer(request, look, folder=upload.folder)
            return JobAnswer.of(service.jobs.add(path, settings))


@router.get("/v1/jobs/{id}", responses=_errors(404))
async def job(request: Request, id: str) -> JobAnswer:
    """How far an analysis is."""
    return JobAnswer.of(_service(request).jobs.get(id))


@router.delete("/v1/jobs/{id}", responses=_errors(404))
async def delete_job(request: Request, id: str) -> JobAnswer:
    """Calls an analysis off if it is not over, and deletes it with its results."""
    return JobAnswer.of(await _service(request).jobs.delete(id))


@router.get(
    "/v1/jobs/{id}/{result}",
    responses={
        **_errors(404, 409, 416),
        200: {"content": {kind.partition(";")[0]: {} for kind in RESULTS.values()}},
        206: {"content": {kind.partition(";")[0]: {} for kind in RESULTS.values()}},
    },
    response_class=Response,
)
async def result(request: Request, id: str, result: str) -> Response:
    """A file of an analysis: timeline.json, timeline.csv, analysis.json, report.html, annotated.mp4 and so on."""
    found = _service(request).jobs.get(id)
    if result not in RESULTS:
        raise Refused(404, f"there is no such result; there are {', '.join(RESULTS)}")
    if found.status != "done":
        raise Refused(409, f"the job is {found.status}; results are there when it is done")
    return _file(found.out / result, kind=RESULTS[result])


def _file(path: Path, *, kind: str) -> Response:
    if not path.is_file():
        raise Refused(404, f"this analysis has no {path.name}")
    return FileResponse(path, media_type=kind, headers=HEADERS_OF.get(path.suffix, {}))


def _model_name(service: Service, model: ModelName) -> str:
    name = service.settings.face_model if model == "face" else service.settings.model
    assert name is not None, "refused by the working process"
    return told_name(name)
