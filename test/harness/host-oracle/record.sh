#!/bin/sh
# Builds the host oracle and records test/vectors/integer.txt.gz. Usage: record.sh [SEED]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O1 -Wall -Wextra -o "$work/oracle" "$here/oracle.c"
"$root/node_modules/.bin/esbuild" "$here/record.ts" --bundle --platform=node --format=esm \
  --log-level=warning --outfile="$work/record.mjs"
node "$work/record.mjs" "$work/oracle" "$root/test/vectors/integer.txt.gz" "$@"
