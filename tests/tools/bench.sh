#!/usr/bin/env bash
# Measures the live room on this machine, which is to be idle otherwise, and prints what was asked beside it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/lib.sh
tests/tools/setup.sh test
tests/tools/build.sh release
npm_install tests/browser
say "native programs"
cargo bench --locked --quiet -p tests --bench live
say "the page in Chromium"
PROGRAMS=target/release node tests/browser/bench.mjs
