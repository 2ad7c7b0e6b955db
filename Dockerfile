# `mien serve` on the CPU, with its models inside. Build and run:
#   docker build -t mien .
#   docker run --rm --init -p 127.0.0.1:8000:8000 -e MIEN_TOKEN=… mien
# Add --read-only --tmpfs /tmp:size=8g to keep all that it writes in memory.
FROM python:3.11-slim

# A plain `pip install torch` brings several GB of CUDA, so the CPU build comes first, from torch's own index.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" torch==2.13.0

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
