#!/usr/bin/env bash
# Install the packages, generate the client's types from the API, check, test and build the page.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
export npm_config_loglevel=error
(cd gateway/http/web && npm ci)
python -m gateway.http.openapi | node gateway/http/web/tools/generate-types.mjs
cd gateway/http/web
npm run check
npm run test
npm run build
