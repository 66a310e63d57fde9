# CUDA comes with torch's own wheels: the host needs only the NVIDIA driver and the container toolkit.
FROM --platform=linux/amd64 python:3.12-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 HF_HOME=/data/huggingface VIVANT_DATA_DIR=/data

# Triton builds the fused kernels with a C compiler; without one, a clip takes about 1.4 times as long.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
# The heavy, rarely changing part first, so that a new version of the code rebuilds in seconds. Each file by its hash.
RUN pip install --require-hashes --only-binary :all: --requirement requirements.lock
COPY bot bot
COPY generator generator
RUN pip install --no-deps --no-build-isolation . \
    && useradd --system --uid 10001 --home-dir /data vivant \
    && install -d -o vivant -m 0700 /data

USER vivant
VOLUME /data
# The bot touches this file from its event loop every ten seconds while its gateway is connected.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "bot", "healthy"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
