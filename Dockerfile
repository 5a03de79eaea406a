# One image, several commands: bowei-registry, bowei-ingest, bowei-routing, bowei-availability, and bowei.
#
#   docker build --build-arg BASE=python:3.12-slim-bookworm@sha256:<digest> -t bowei .
#
# Name the base by its digest, and the image is made of what you looked at. All else is pinned by lock/run.txt, with hashes.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
RUN python -m venv /opt/bowei
COPY lock/run.txt lock/run.txt
RUN /opt/bowei/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r lock/run.txt
COPY . .
RUN /opt/bowei/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/bowei/bin/pip uninstall --yes hatchling editables pip

FROM ${BASE}
COPY --from=build /opt/bowei /opt/bowei
ENV PATH=/opt/bowei/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# Nobody in particular: it owns no file, writes none, and may run on a root that is read only.
USER 10001:10001
CMD ["bowei", "--help"]
