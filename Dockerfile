# The shop as an image: no tools, no root, no secrets, and a root filesystem that may be read-only.
# What it needs to write: /tmp, and /var/lib/shopswift for pictures. Settings: `.env.example`.

FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea AS build

WORKDIR /build
RUN python -m venv --without-pip /opt/shop
COPY requirements.lock .
# The lock is complete, so nothing is resolved. Wheels only: no compiler and no setup script runs here.
RUN pip --python /opt/shop/bin/python --disable-pip-version-check install --no-cache-dir \
        --no-deps --only-binary :all: --require-hashes -r requirements.lock \
    && pip --python /opt/shop/bin/python --disable-pip-version-check check
COPY . /app
# Nothing can be compiled later, where the filesystem is read-only.
RUN python -m compileall -q -j 0 /app


FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea

LABEL org.opencontainers.image.title="ShopSwift" \
      org.opencontainers.image.description="An online shop's backend" \
      org.opencontainers.image.licenses="MIT"

# Numbers, not names: Kubernetes' runAsNonRoot cannot look names up. The folder is made here so that
# a fresh volume, which takes its owner from the image, can be written.
RUN groupadd --gid 10001 shop \
    && useradd --uid 10001 --gid shop --no-create-home --home-dir /tmp --shell /usr/sbin/nologin shop \
    && install --directory --owner shop --group shop /var/lib/shopswift/media

COPY --from=build /opt/shop /opt/shop
COPY --from=build /app /app

# Production unless it is told otherwise, which refuses to start without secrets and a database.
ENV PATH=/opt/shop/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FLASK_APP=manage.py \
    FLASK_SKIP_DOTENV=1 \
    FLASK_ENV=production \
    HOST=0.0.0.0 \
    PORT=8000 \
    MEDIA_FOLDER=/var/lib/shopswift/media

WORKDIR /app
USER 10001:10001
EXPOSE 8000

# gunicorn takes it as: finish what is under way, then end.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-I", "deploy/container/healthy.py"]

# gunicorn.conf.py lies in this folder, where gunicorn finds it.
CMD ["gunicorn", "manage:app"]
