# docs/container.md says what is in the image. CUDA comes with torch's own wheels: the host needs only the NVIDIA driver
# and the container toolkit.
ARG BASE=python:3.12-slim
# cuda, or cpu for a machine without an NVIDIA card: a third of the size, for trials with the demo model
ARG TORCH=cuda

FROM --platform=linux/amd64 ${BASE} AS packages
# A base that is not Docker's own Python also needs the headers and venv of its Python: python3-dev python3-venv
ARG BUILD_PACKAGES="gcc libc6-dev"
RUN apt-get update && apt-get install --yes --no-install-recommends ${BUILD_PACKAGES}
RUN python3 -m venv /opt/vivant
ENV PATH=/opt/vivant/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# The heavy, rarely changing part first, so that a new version of the code rebuilds in seconds. Each file by its hash.
COPY requirements.lock deploy/image/ ./
ARG TORCH
# For cpu: where pip finds torch's CPU build, the index that pytorch.org/get-started names. Its files are not in the lock.
ARG TORCH_INDEX
RUN sh install.sh "$TORCH" "$TORCH_INDEX"
COPY pyproject.toml README.md LICENSE config.example.toml ./
COPY bot bot
COPY generator generator
RUN pip install --no-deps --no-build-isolation .

FROM --platform=linux/amd64 ${BASE}
ENV PATH=/opt/vivant/bin:$PATH PYTHONUNBUFFERED=1 HF_HOME=/data/huggingface VIVANT_DATA_DIR=/data
# What Triton's kernels need a C compiler for is compiled already; see the file.
ENV CC=/opt/vivant/triton/cc
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin vivant \
    && install -d -o vivant -m 0700 /data
COPY --from=packages /opt/vivant /opt/vivant
# Where a config.toml may be mounted
WORKDIR /app
USER vivant
VOLUME /data
# The bot touches this file from its event loop every ten seconds while its gateway is connected.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "bot", "healthy"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
