#!/usr/bin/env bash
# Put RapiDoc, which draws /docs, into gateway/http/static/assets. Run it to take another version; the files are committed.
# Only the one built file is taken: installing the package would bring hundreds of others.
set -euo pipefail
VERSION=9.3.8
SHA256=affbd173a65e870e18f392cca963113bcdafb6e50e88cd2f6a834a65b22db94d
assets="$(cd "$(dirname "$0")/../../static/assets" && pwd)"
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT
cd "$folder"
npm pack --silent "rapidoc@$VERSION"
tar -xzf "rapidoc-$VERSION.tgz"
echo "$SHA256  package/dist/rapidoc-min.js" | sha256sum --check --quiet
grep -v '^//# sourceMappingURL=' package/dist/rapidoc-min.js > "$assets/rapidoc.js"
cat package/LICENSE.txt package/dist/rapidoc-min.js.LICENSE.txt > "$assets/rapidoc.txt"
