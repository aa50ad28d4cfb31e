#!/usr/bin/env bash
# Puts a live room on air on this machine: a relay and a publisher with the test pattern.
#   DEMO_SOURCE=file:/path/film.mp4 make demo   puts a film on air instead
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/lib.sh
tests/tools/build.sh release
data=${DEMO_DATA:-data}
http=${DEMO_HTTP:-[::]:8080}
udp=${DEMO_UDP:-[::]:4443}
source=${DEMO_SOURCE:-pattern}
room=${DEMO_ROOM:-demo}

mkdir -p "$data"
ready="$data/ready.json"
rm -f "$ready"
relay=; publisher=
stop() {
  trap - EXIT INT TERM
  [ -z "$publisher" ] || { kill -INT "$publisher" 2>/dev/null || true; wait "$publisher" 2>/dev/null || true; }
  [ -z "$relay" ] || { kill -INT "$relay" 2>/dev/null || true; wait "$relay" 2>/dev/null || true; }
}
trap stop EXIT
trap 'exit 0' INT TERM

say "starting the relay"
target/release/relay serve --data "$data" --listen "$udp" --http "$http" >"$ready" &
relay=$!
for _ in $(seq 100); do
  [ -s "$ready" ] && break
  kill -0 "$relay" 2>/dev/null || { wait "$relay" || exit $?; }
  sleep 0.1
done
[ -s "$ready" ] || { echo "demo: the relay did not say that it is ready" >&2; exit 1; }
field() { node -p 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8").split("\n")[0])[process.argv[2]]' "$ready" "$1"; }
port() { printf '%s' "${1##*:}"; }
udp_port=$(port "$(field moqt)")
http_port=$(port "$(field http)")
hash=$(field certHash)

say "going on air with $source"
token=$(target/release/relay token --room "$room" --role host --data "$data" --site "http://localhost:$http_port")
loop=()
case "$source" in file:*) loop=(--loop) ;; esac
say "watch at   http://localhost:$http_port/$room"
echo "   run it   http://localhost:$http_port/studio/$room#token=$token"
echo "   or with  target/release/player --relay moqt://localhost:$udp_port --room $room --cert-hash $hash"
echo "   stop with Ctrl-C"
target/release/publisher --relay "moqt://localhost:$udp_port" --cert-hash "$hash" --room "$room" --token "$token" \
  --source "$source" "${loop[@]}" --rendition 1280x720@30:2M --rendition 640x360@30:600k &
publisher=$!
wait "$publisher"
