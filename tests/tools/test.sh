#!/usr/bin/env bash
# Every gate and test, for a person and for CI alike. The last line is `N passed, N failed`.
#   test.sh [gate...]   only these, as in: test.sh rust browser
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/lib.sh
logs=.cache/test
mkdir -p "$logs"
passed=0 failed=0 failures=()

# count NAME PASSED FAILED
count() {
  passed=$((passed + $2)) failed=$((failed + $3))
  [ "$3" -eq 0 ] || failures+=("$1")
}

# gate NAME COMMAND...: one command that passes or fails as a whole.
gate() {
  local name=$1; shift
  say "$name"
  local begin=$SECONDS
  if "$@" >"$logs/gate.log" 2>&1; then
    count "$name" 1 0
    echo "ok ($((SECONDS - begin)) s)"
  else
    count "$name" 0 1
    tail -n 60 "$logs/gate.log"
    echo "FAILED: $name"
  fi
}

# sum: adds the numbers that stand in its input.
sum() { grep -oE '[0-9]+' | awk '{ total += $1 } END { print total + 0 }'; }

rust_tests() {
  say "Rust tests"
  NO_COLOR=1 cargo nextest run --locked --workspace --no-fail-fast --color never 2>&1 | tee "$logs/rust.log" |
    grep -vE '^ +(PASS|Compiling|Downloaded|Downloading|Fresh|Checking) ' || true
  local summary ok bad
  summary=$(grep -E '^ +Summary' "$logs/rust.log" | tail -n 1)
  if [ -z "$summary" ]; then count "Rust tests did not run" 0 1; return; fi
  ok=$(grep -oE '[0-9]+ passed' <<<"$summary" | grep -oE '[0-9]+' || echo 0)
  bad=$(grep -oE '[0-9]+ (failed|timed out)' <<<"$summary" | sum)
  count "Rust tests" "$ok" "$bad"
}

web_tests() {
  say "web unit tests"
  npm_ run --prefix player/web --silent test >"$logs/web.log" 2>&1
  local status=$? line
  line=$(sed 's/\x1b\[[0-9;]*m//g' "$logs/web.log" | grep -E '^ +Tests ' | tail -n 1)
  local ok bad
  ok=$(grep -oE '[0-9]+ passed' <<<"$line" | grep -oE '[0-9]+' || echo 0)
  bad=$(grep -oE '[0-9]+ failed' <<<"$line" | grep -oE '[0-9]+' || echo 0)
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  [ "$bad" -eq 0 ] || tail -n 60 "$logs/web.log"
  count "web unit tests" "$ok" "$bad"
  echo "$ok passed, $bad failed"
}

browser_tests() {
  say "browser tests"
  timeout --kill-after=10 900 node --test --test-concurrency=1 --test-reporter=tap tests/browser/*.test.mjs \
    2>&1 | tee "$logs/browser.log" | grep -E '^(not )?ok|^    (not )?ok|error:|message:|^# [^S]' || true
  local ok bad
  ok=$(grep -E '^# pass ' "$logs/browser.log" | grep -oE '[0-9]+' || echo 0)
  bad=$(grep -E '^# (fail|cancelled) ' "$logs/browser.log" | sum)
  grep -q '^# tests [1-9]' "$logs/browser.log" || bad=1 # it did not run
  count "browser tests" "$ok" "$bad"
}

interop_tests() {
  say "interop: moq-test-client"
  tests/tools/interop.sh quick 2>&1 | tee "$logs/interop.log" | grep -vE '^ok ' || true
  local line ok bad
  line=$(tail -n 1 "$logs/interop.log")
  ok=$(grep -oE '^[0-9]+ passed' <<<"$line" | grep -oE '[0-9]+' || echo 0)
  bad=$(grep -oE '[0-9]+ failed$' <<<"$line" | grep -oE '[0-9]+' || echo 1) # it did not run
  count "interop" "$ok" "$bad"
}

run() {
  case "$1" in
    fmt) gate "rustfmt" cargo fmt --all --check ;;
    clippy) gate "clippy" cargo clippy --locked --workspace --all-targets -- -D warnings ;;
    doc) gate "rustdoc" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items ;;
    page) gate "viewer page: types and lint" npm_ run --prefix player/web --silent lint; web_tests ;;
    bins) gate "relay, publisher, player, examples" cargo build --locked --workspace --bins --examples ;;
    rust) rust_tests ;;
    interop) interop_tests ;;
    browser) browser_tests ;;
    *) echo "test.sh: unknown gate $1: fmt, clippy, doc, page, bins, rust, interop or browser" >&2; exit 2 ;;
  esac
}

say "set-up"
tests/tools/setup.sh test || exit 1
build_page || { echo "0 passed, 1 failed"; exit 1; }
npm_install tests/browser || { echo "0 passed, 1 failed"; exit 1; }
[ $# -gt 0 ] || set -- fmt bins clippy doc page rust interop browser
for name in "$@"; do run "$name"; done

say "$((SECONDS / 60)) min $((SECONDS % 60)) s"
for name in "${failures[@]}"; do echo "failed: $name"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
