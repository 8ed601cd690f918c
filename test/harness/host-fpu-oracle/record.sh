#!/bin/sh
# Records test/vectors/sse-*.bin and x87-*.bin anew on this CPU, and the reference values.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
vectors=$here/../../vectors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O1 -Wall -Wextra -o "$work/record-sse" "$here/record-sse.c" "$here/run-native.c"
for family in integer float convert mmx; do
	"$work/record-sse" $family 2700 >"$vectors/sse-$family.bin"
done
gcc -O1 -Wall -Wextra -o "$work/record-x87" "$here/record-x87.c" "$here/run-native.c"
for family in arithmetic move special; do
	"$work/record-x87" $family 2000 >"$vectors/x87-$family.bin"
done
gcc -O1 -Wall -Wextra -o "$work/reference" "$here/reference-transcendental.c" \
	"$here/run-native.c" -lquadmath
"$work/reference" >"$vectors/x87-transcendental.txt"
