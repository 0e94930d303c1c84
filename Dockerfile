# The page with its model inside. It needs no network, no root and no disk but /tmp:
#   docker build -t detector .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL -p 7860:7860 detector
FROM python:3.12-slim

RUN useradd --uid 1000 --no-create-home user
WORKDIR /app
COPY requirements.txt .
# torch without CUDA: PyTorch's own index for it, which uv knows by name.
RUN pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --torch-backend cpu -r requirements.txt 'mcp>=1.30,<2' \
    && pip uninstall --yes uv
COPY LICENSE README.md app.py ./
COPY detector detector
COPY docs docs
COPY examples examples
COPY ui ui
RUN python -m compileall -q app.py detector ui

USER 1000
# What the Hub is asked for is kept as long as the container is.
ENV GRADIO_SERVER_NAME=0.0.0.0 HF_HOME=/tmp/huggingface
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:7860/', timeout=5)"]
ENTRYPOINT ["python", "app.py", "--port", "7860"]
CMD ["--model", "bundled"]
