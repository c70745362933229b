# syntax=docker/dockerfile:1
# What ./run does, in two stages: the second has the program and the packages it runs with, PostgreSQL's among them, so
# that it also works without a DATABASE_URL.
ARG DEBIAN=12

FROM debian:${DEBIAN}-slim AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY .ci/setup .ci/
RUN . .ci/setup && install_packages "${build_packages[@]}" ca-certificates && install_node
COPY . .
RUN . .ci/setup && install_modules http/docs && build build '' backstay && strip build/backstay
# The packages that own the shared libraries; some are listed below /lib, some below /usr/lib.
RUN ldd build/backstay | awk '$3 ~ /^\// { print $3 }' | xargs readlink -f | while read -r library; do \
      dpkg -S "$library" 2>/dev/null || dpkg -S "${library#/usr}" 2>/dev/null || dpkg -S "/usr$library"; \
    done | cut -d: -f1 | sort -u > build/packages

FROM debian:${DEBIAN}-slim
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY .ci/setup /src/.ci/
COPY --from=build /src/build/packages /src/
RUN cd /src && . .ci/setup && install_packages $(<packages) "${server_packages[@]}" curl \
    && rm -rf /src /var/lib/apt/lists/* \
    && useradd --system --user-group --home-dir /var/lib/backstay --create-home --shell /usr/sbin/nologin backstay
COPY --from=build /src/build/backstay /usr/local/bin/
COPY LICENSE /usr/share/doc/backstay/
USER backstay
WORKDIR /var/lib/backstay
VOLUME /var/lib/backstay
ENV BACKSTAY_HTTP_ADDRESS=0.0.0.0 BACKSTAY_DATA_DIRECTORY=/var/lib/backstay
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD curl -fsS -o /dev/null "http://127.0.0.1:${BACKSTAY_HTTP_PORT:-8080}/health/live"
ENTRYPOINT ["backstay"]
CMD ["serve"]
