#!/usr/bin/env bash
# Builds the viewer page and the three programs.
#   build.sh release   into target/release
#   build.sh dev       into target/debug
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/lib.sh
tests/tools/setup.sh build
build_page
say "building relay, publisher and player (the first build takes about ten minutes on two cores)"
case "${1:-release}" in
  release) cargo build --locked --release -p relay -p publisher -p player ;;
  dev) cargo build --locked -p relay -p publisher -p player ;;
  *) echo "build.sh: unknown profile $1: write release or dev" >&2; exit 2 ;;
esac
