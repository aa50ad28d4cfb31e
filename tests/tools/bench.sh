#!/usr/bin/env bash
# Measures the live room on this machine, which is to be idle otherwise, and prints what was asked beside it.
#   bench.sh                     all of it
#   bench.sh room                latency, startup, CPU and loss, natively and in Chromium
#   bench.sh relay [ARGUMENT…]   the relay under load, beside relays that others wrote; see `load bench --help`
#   bench.sh quick [ARGUMENT…]   the relay and quinn alone at 200 and 500 subscribers: two minutes
#   bench.sh search [ARGUMENT…]  the most subscribers that each relay serves
#   bench.sh picture             the curves of `relay` as the picture in the README
# PEERS_WANTED=none leaves out the relays that others wrote; moq-rs builds only the one that builds in 7 minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/lib.sh
. tests/tools/peers.sh

target=${CARGO_TARGET_DIR:-target}/release

build_load() {
  say "building the relay and its load"
  cargo build --locked --quiet --release -p relay
  cargo build --locked --quiet --release -p tests --bin load
}

build_peers() {
  case "${PEERS_WANTED:-all}" in
    none) ;;
    moq-rs) peer moq-relay-ietf 0.8.0 ;;
    all) peer moq-relay-ietf 0.8.0 && moq_dev ;;
    *) echo "bench.sh: unknown PEERS_WANTED ${PEERS_WANTED}: write all, moq-rs or none" >&2; exit 2 ;;
  esac
}

room() {
  tests/tools/setup.sh test
  tests/tools/build.sh release
  npm_install tests/browser
  say "native programs"
  cargo bench --locked --quiet -p tests --bench live
  say "the page in Chromium"
  PROGRAMS=$target node tests/browser/bench.mjs
}

relay() {
  tests/tools/setup.sh build
  build_load
  build_peers
  say "the relay under load"
  "$target/load" bench "$@"
}

picture() { "$target/load" picture .cache/bench/results.jsonl --out tests/docs/load.svg; }

what=${1:-all}
[ $# -eq 0 ] || shift
case "$what" in
  all) room && relay && build_load && "$target/load" search && picture ;;
  room) room ;;
  relay) relay "$@" ;;
  quick) tests/tools/setup.sh build && build_load && "$target/load" bench --quick "$@" ;;
  search) tests/tools/setup.sh build && build_load && build_peers && "$target/load" search "$@" ;;
  picture) build_load && picture ;;
  *) echo "bench.sh: unknown part $what: see the top of tests/tools/bench.sh" >&2; exit 2 ;;
esac
