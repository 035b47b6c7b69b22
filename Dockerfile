# Both stages must have the same interpreter at the same path: the virtual environment points to it.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
# What builds the wheel has an environment of its own too: the base's own packages are not ours to replace.
RUN python -m venv --without-pip /opt/venv \
 && python -m venv --without-pip /opt/build \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --only-binary=:all: \
        -r requirements.lock \
 && pip --python /opt/build/bin/python install --no-cache-dir --require-hashes --only-binary=:all: \
        -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# Importing writes the bytecode of exactly the modules that a start and the first signature load, to a folder of
# its own, because the base has none for Python's own modules. Without it every start on a read-only file system
# compiles them again, which takes twice the time. Bytecode knows the second of its source, and an image rounds.
RUN pip --python /opt/build/bin/python wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps dist/*.whl \
 && find /opt/venv -name '*.py' -exec touch --date="@$(date +%s)" {} + \
 && PYTHONDONTWRITEBYTECODE='' PYTHONPYCACHEPREFIX=/opt/bytecode /opt/venv/bin/python -P -c \
        "import opensearch_ml_operator.__main__, opensearch_ml_operator.startup, opensearch_ml_operator.aws.signature"

FROM ${BASE}
LABEL org.opencontainers.image.title="opensearch-ml-operator" \
      org.opencontainers.image.description="Makes OpenSearch ML Commons remote models declarative" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/bytecode /opt/bytecode
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    PYTHONUNBUFFERED=1 \
    TZ=UTC
USER 65532:65532
WORKDIR /
EXPOSE 8080 8081
ENTRYPOINT ["python", "-m", "opensearch_ml_operator"]
