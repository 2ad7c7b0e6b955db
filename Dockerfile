# `mien serve` on the CPU, with its models inside. Build and run:
#   docker build -t mien .
#   docker run --rm --init -p 127.0.0.1:8000:8000 -e MIEN_TOKEN=… mien
# Add --read-only --tmpfs /tmp:size=8g to keep all that it writes in memory.
FROM python:3.11-slim

# A plain `pip install torch` may bring several GB of CUDA, so torch comes first. Where the index in use has no CPU build,
# name one that has: docker build --build-arg TORCH='torch==2.13.0 --index-url ADDRESS' (torch's site tells the address).
ARG TORCH=torch==2.13.0
RUN pip install --no-cache-dir $TORCH

WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE NOTICE ./
COPY mien mien
RUN pip install --no-cache-dir --constraint constraints.txt '.[serve]' && rm -rf /src/*

# Uploads are other people's files: nobody who reads them may write to anything but /tmp.
RUN useradd --system --create-home mien
USER mien
WORKDIR /home/mien
ENV PYTHONUNBUFFERED=1

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

# Beyond its own loopback it does not listen without MIEN_TOKEN; to do without, add --allow-anyone.
ENTRYPOINT ["mien", "serve", "--host", "0.0.0.0"]
