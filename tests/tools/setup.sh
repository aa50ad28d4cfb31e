#!/usr/bin/env bash
# Installs what a fresh Debian machine with Rust and Node lacks. A second call finds all there and is quick.
#   setup.sh build   what building and running the live room needs
#   setup.sh test    that, and what the tests need: browsers, a virtual display, film tools
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

build=(nasm cmake make pkg-config gcc g++ ca-certificates)
test=(chromium firefox-esr pulseaudio fonts-noto-cjk fonts-noto-core ffmpeg xvfb curl libasound2-dev libclang-dev)
case "${1:-build}" in
  build) wanted=("${build[@]}") ;;
  test) wanted=("${build[@]}" "${test[@]}") ;;
  *) fail "unknown argument ${1}: write build or test" ;;
esac

command -v cargo >/dev/null || fail "Rust is missing: install it from https://rustup.rs, then call again"
command -v node >/dev/null || fail "Node.js is missing: install version 20 or later, then call again"
node_major=$(node -p 'process.versions.node.split(".")[0]')
[ "$node_major" -ge 20 ] || fail "Node.js $node_major is too old: install version 20 or later"

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "installing Debian packages: ${missing[*]}"
  root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
fi
command -v nasm >/dev/null || fail "nasm is missing: without it openh264 is built two to three times slower"

if [ "$(npm --version | cut -d. -f1)" -lt 11 ]; then
  say "installing npm 11 beside the project (Vite needs it; this machine has $(npm --version))"
  mkdir -p .cache/npm
  [ -x .cache/npm/node_modules/.bin/npm ] || npm install --silent --no-audit --no-fund --prefix .cache/npm npm@11
fi
if [ "${1:-build}" = test ] && ! cargo nextest --version >/dev/null 2>&1; then
  say "installing cargo-nextest (a few minutes, once)"
  cargo install --quiet --locked cargo-nextest
fi
