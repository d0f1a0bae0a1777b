# Shortlist as a container: a Docker Space, or a team server. How to run it: docs/deploy.md
FROM python:3.11-slim

# Spaces run containers as user 1000; everything that is written lies in that user's home.
RUN useradd --create-home --uid 1000 user
USER user
ENV HOME=/home/user
WORKDIR $HOME/app

ENV PATH=$HOME/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HF_HOME=$HOME/.cache/huggingface \
    SHORTLIST_HOME=$HOME/.shortlist \
    PORT=8501
RUN mkdir -p $HF_HOME $SHORTLIST_HOME

# torch first and from PyTorch's own index, whose builds are for the CPU: the one on PyPI brings gigabytes of CUDA.
# The driver for PostgreSQL is only a development requirement elsewhere. Before the sources, so that a change of code does
# not install everything again.
COPY --chown=user requirements.txt requirements-dev.txt ./
RUN python -m venv $HOME/venv \
    && pip install --extra-index-url https://download.pytorch.org/whl/cpu $(grep '^torch==' requirements.txt) \
    && pip install -r requirements.txt $(grep '^psycopg' requirements-dev.txt)

COPY --chown=user . .

EXPOSE $PORT
# Not /healthz: that answers 200 with the page itself, whatever happens.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD python -c "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/_stcore/health', timeout=4)"

# Inside the frame of huggingface.co a browser sends the upload's anti-forgery cookie only if it is SameSite=None.
CMD if [ -n "$SPACE_ID" ]; then export STREAMLIT_SERVER_XSRF_COOKIE_SAME_SITE=none; fi; \
    exec python -m core start --host 0.0.0.0 --port "$PORT" --no-wait
