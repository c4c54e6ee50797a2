# The program in a container, on the processor, as an ordinary user; without a command it is the service (docs/serve.md).
#   docker build -t paraisite .
#   docker run --rm --init -e PARAISITE_TOKEN=... -p 127.0.0.1:8000:8000 --read-only --tmpfs /tmp paraisite
#   docker run --rm -v "$PWD:/data" -w /data --user "$(id -u)" paraisite predict my.cif -o kappa.csv
FROM python:3.12-slim

WORKDIR /paraisite
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src ./src
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt '.[serve]' \
    && useradd --system --no-create-home paraisite

USER paraisite
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/api/v1/health')"]
ENTRYPOINT ["paraisite"]
CMD ["serve", "--host", "0.0.0.0"]
