# A served model: docker build -t student-perf .
#   openssl rand -hex 32 > token && chmod 444 token
#   docker run --rm -p 127.0.0.1:8000:8000 -v "$PWD/outputs/DAY/TIME:/model:ro" \
#     -v "$PWD/token:/run/secrets/token:ro" student-perf
# /model is a run folder; requests bear the token. The packages are those of requirements.txt, checked by their hashes; they
# hold what the extra `serve` asks for.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STUDENT_PERF_WORKSPACE=/tmp

RUN useradd --create-home --uid 10001 --shell /usr/sbin/nologin served

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt

COPY hydra_plugins ./hydra_plugins
COPY student_perf ./student_perf
COPY conf ./student_perf/conf

USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=8)"]

# In a container loopback would be the container's own: the port is published by `docker run -p`.
ENTRYPOINT ["python", "-m", "student_perf", "serve"]
CMD ["/model", "--host", "0.0.0.0", "--port", "8000", "--token-file", "/run/secrets/token"]
