# The controller in an image without a shell. Nothing is downloaded in the last stage.
FROM rust:1.95-slim-bookworm AS builder
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY src src
# Compiled in: the example that `bascule simulate` plays.
COPY manifests manifests
RUN cargo build --release --locked && mkdir /state

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=builder /source/target/release/bascule /usr/local/bin/bascule
# Journals: mount a volume with a local file system here, and never give it to two controllers.
COPY --from=builder --chown=65532:65532 /state /var/lib/bascule
# distroless's nonroot, by number, so that Kubernetes's runAsNonRoot can see it.
USER 65532:65532
EXPOSE 8080
# `status` waits ten seconds at most; there is no curl here.
HEALTHCHECK --interval=30s --timeout=12s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/bascule", "status", "--server", "http://127.0.0.1:8080"]
# SIGTERM: the step that was begun is finished first.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/bascule"]
# Mount the directory of Migration files at /etc/bascule.
# Everybody on the network can reach it there, so it wants a token: set BASCULE_TOKEN_FILE to a mounted secret. `status` reads it too.
CMD ["run", "/etc/bascule", "--state", "/var/lib/bascule", "--listen", "0.0.0.0:8080"]
