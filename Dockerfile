# CUDA comes with torch's own wheels: the host needs only the NVIDIA driver and the container toolkit.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 HF_HOME=/data/huggingface VIVANT_DATA_DIR=/data

WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
# The heavy, rarely changing part first, so that a new version of the code rebuilds in seconds.
RUN pip install --constraint constraints.txt torch diffusers transformers accelerate
COPY bot bot
COPY generator generator
RUN pip install --constraint constraints.txt '.[demo]' \
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
