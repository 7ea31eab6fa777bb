# Portico without development dependencies: no build step, Node runs the TypeScript in src/ as it is.
FROM node:26-slim

ENV NODE_ENV=production
WORKDIR /app

COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

COPY LICENSE ./
COPY src ./src
# what the settings point at unless a portico.yaml in /app says something else
COPY policies ./policies
COPY apps-catalog ./apps-catalog
COPY partner-kit ./partner-kit

# the only place that is written to: the database and the master key. Everything else may be mounted read-only
RUN mkdir data && chmod 0700 data && node --max-semi-space-size=8 src/prepare.js && chown -R 1000:1000 data
VOLUME /app/data
USER 1000:1000

# inside a container the loopback address reaches nobody
ENV PORTICO_LISTEN=0.0.0.0:3000
EXPOSE 3000

HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9090/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

CMD ["node", "--max-semi-space-size=8", "src/portico.js", "serve"]
