# The operator. How to build it, also behind a private certificate authority: docs/images.md.
FROM docker.io/library/node:24-bookworm-slim AS build
ARG NODE_EXTRA_CA_CERTS
WORKDIR /cdsp
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY scripts scripts
RUN sh scripts/image-root.sh /root-folder
COPY tsconfig.json LICENSE NOTICE ./
COPY operator operator
COPY trainer-image trainer-image
RUN node scripts/bundle.ts /bundle && cp LICENSE NOTICE /bundle/

# Nothing but node and one file: there is no shell either.
FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="CDSP operator" \
      org.opencontainers.image.description="Runs CDSPExperiments, segmentation from scribbles, as Jobs on Kubernetes" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
ENV PATH=/usr/local/bin NODE_ENV=production
COPY --from=build /root-folder /
COPY --from=build /bundle /app
WORKDIR /app
USER 65532:65532
EXPOSE 8080
# Memory before speed: of the operator's work, most is waiting. The heap may fill three quarters of the container's memory limit.
ENTRYPOINT ["/usr/local/bin/node", "--optimize-for-size", "--max-old-space-size-percentage=75", "/app/operator.mjs"]
