# syntax=docker/dockerfile:1
# Targets: `service` (default for production: ingest, feed, migrate) and `exercise` (the demo, with a database
# and a broker inside). Pin the base by digest where you deploy: `docker buildx imagetools inspect
# python:3.13.9-slim-bookworm` prints it; then --build-arg BASE=python:3.13.9-slim-bookworm@sha256:...
ARG BASE=python:3.13.9-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv /opt/huewatch
# First what it needs, which changes seldom. Only wheels: no code of others runs while building.
COPY pyproject.toml .
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
        print(*p['dependencies'], *p['optional-dependencies']['embedded'], sep='\n')" >requirements.txt \
    && /opt/huewatch/bin/pip install --only-binary :all: -r requirements.txt
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheels . \
    && /opt/huewatch/bin/pip install --no-deps --no-index /wheels/*.whl \
    && /opt/huewatch/bin/pip check

FROM ${BASE} AS service
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin huewatch
COPY --from=build /opt/huewatch /opt/huewatch
ENV PATH=/opt/huewatch/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["huewatch"]
CMD ["--help"]

FROM service AS exercise
USER 0:0
RUN apt-get update \
    && apt-get install -y --no-install-recommends mosquitto \
    && rm -rf /var/lib/apt/lists/*
USER 10001:10001
CMD ["demo"]
