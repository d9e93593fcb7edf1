# One image for the API, the workers, the data collector and the commands of operators:
#   docker build -t agentforge .
#   docker run agentforge node dist/api/main.js

# may name a digest: docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# install scripts only fetch what development machines lack: a Node, a PostgreSQL
RUN npm ci --omit=dev --no-audit --no-fund --ignore-scripts
COPY . .
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json && node dist/scripts/bundle-workflows.js

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# optional packages are those of `npm start`: a Node, a PostgreSQL, the compilers; install scripts would
# fetch stand-ins for them, past the lock file
RUN npm ci --no-audit --no-fund --omit=dev --omit=optional --ignore-scripts

FROM ${NODE_IMAGE}
WORKDIR /app
ENV NODE_ENV=production
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# `npm run audit:verify` replays histories on them
COPY releases ./releases
COPY package.json ./
USER node
# 8000 API · 8001 collector · 9464 worker's status and metrics
EXPOSE 8000 8001 9464
CMD ["node", "dist/api/main.js"]
