#!/usr/bin/env bash
# Our programs with those that others wrote, over raw QUIC and WebTransport. The last line is `N passed, N failed`.
#   interop.sh         all peers, built once into .cache/peers (half an hour on two cores); puts the table into README.md
#   interop.sh quick   moq-test-client against our relay (builds in two minutes); README.md stays as it is
# What tests/interop/faults.txt names as a peer's fault counts as neither.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/lib.sh
. tests/tools/peers.sh
bin=${CARGO_TARGET_DIR:-target}/debug
faults=tests/interop/faults.txt
work=$(mktemp -d)
started=() # what runs in the background
passed=0 failed=0 failures=() notes=()
rows=()                   # WHO;SET in the order of the table
declare -A known good all # by WHO;SET, and by WHO;SET;OVER how many passed, of how many

stop() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null; done
  started=()
}
trap 'stop; rm -rf "$work"' EXIT

# result WHO SET WHAT OVER ok|no [WHY]: one scenario's outcome. A row of the table is all of a set.
result() {
  local who=$1 set=$2 what=$3 over=$4 verdict=$5 why=${6:-no reason given} where fault
  [ -n "${known[$who;$set]:-}" ] || { rows+=("$who;$set") known[$who;$set]=yes; }
  all[$who;$set;$over]=$((${all[$who;$set;$over]:-0} + 1))
  IFS='|' read -r where fault < <(awk -F ' [|] ' -v who="$who" -v what="$what" -v over="$over" \
    '$1 == who && $2 == what && ($3 == over || $3 == "both") { print $3 "|" $4 }' "$faults")
  if [ "$verdict" = ok ]; then
    passed=$((passed + 1)) good[$who;$set;$over]=$((${good[$who;$set;$over]:-0} + 1))
    printf 'ok      %-5s %s: %s%s\n' "$over" "$who" "$what" "${fault:+ (no longer a fault: take it off $faults)}"
  elif [ -n "$fault" ]; then
    printf 'fault   %-5s %s: %s: %s\n' "$over" "$who" "$what" "$fault"
    note "$who, $what$([ "$where" = both ] || echo ", $where")" "$fault"
  else
    failed=$((failed + 1)) failures+=("$over $who: $what: $why")
    printf 'FAILED  %-5s %s: %s: %s\n' "$over" "$who" "$what" "$why"
    note "$who, $what, $over" "failed: $why"
  fi
}

# note WHAT WHY: for the list below the table, once.
note() {
  case "${notes[*]-}" in *"$1: $2."*) ;; *) notes+=("$1: $2.") ;; esac
}

free_port() {
  node -e 'const s = require("dgram").createSocket("udp4"); s.bind(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local end=$((SECONDS + $1)); shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# Each of these starts a relay and puts its address into `relay`.
our_relay() {
  "$bin/relay" serve --open --listen 127.0.0.1:0 --http 127.0.0.1:0 --data "$work/data" --log warn \
    >"$work/relay.out" 2>"$work/relay.err" &
  started+=($!)
  wait_for 30 grep -qs '"moqt"' "$work/relay.out" || { failed=$((failed + 1)) failures+=("our relay does not start"); cat "$work/relay.err"; return 1; }
  relay=$(sed -E 's/.*"moqt":"([^"]*)".*/\1/' "$work/relay.out")
}

# foreign_relay COMMAND...: with the certificate that our relay made, at $relay.
foreign_relay() {
  "$@" >"$work/relay.out" 2>&1 &
  started+=($!)
  wait_for 30 grep -qs listening "$work/relay.out" || { failed=$((failed + 1)) failures+=("$1 does not start"); cat "$work/relay.out"; return 1; }
}

ietf_relay() {
  relay=127.0.0.1:$(free_port)
  foreign_relay "$PEERS/bin/moq-relay-ietf" --bind "$relay" --coordinator-file "$work/coordinator.json" \
    --tls-cert "$work/data/certificate.pem" --tls-key "$work/data/key.pem"
}

dev_relay() {
  relay=127.0.0.1:$(free_port)
  foreign_relay "$PEERS/bin/moq-relay" --listen "$relay" --listen-version moq-transport-18 --auth-public '**' \
    --listen-tls-cert "$work/data/certificate.pem" --listen-tls-key "$work/data/key.pem"
}

# suite WHO CLIENT: runs a client with the interop runner's contract against $relay and reads its TAP.
suite() {
  local who=$1 client=$2 over
  for over in moqt https; do
    timeout --kill-after=5 180 "$client" --relay "$over://$relay" --tls-disable-verify >"$work/tap" 2>"$work/tap.err"
    while IFS=$'\t' read -r verdict what why; do
      result "$who" cases "$what" "$over" "$verdict" "$why"
    done < <(awk '
      function point() { if (name != "") print verdict "\t" name "\t" why }
      /^(not )?ok [0-9]+ - / { point(); verdict = /^ok/ ? "ok" : "no"; name = $NF; why = "" }
      /^  message: / { why = $0; sub(/^  message: "?/, "", why); sub(/"$/, "", why) }
      /^1\.\.[0-9]+$/ { planned = substr($0, 4) }
      { points += /^(not )?ok [0-9]+ - / }
      END { point(); if (planned == 0 || points != planned) print "no\tthe whole report\tit broke off" }' "$work/tap")
  done
}

# broadcast WHO WHAT [PUBLISHER OPTION...]: our publisher and player with $relay between them. WHAT is judged by
# what the player says at its end.
broadcast() {
  local who=$1 what=$2 over=$3 count; shift 3
  local room="room-$over-$RANDOM" err="$work/player.err"
  "$bin/publisher" --relay "$over://$relay" --insecure --room "$room" --rendition 640x360@30:600k --duration 15s "$@" \
    2>"$work/publisher.err" &
  local publisher=$!
  started+=("$publisher")
  wait_for 10 grep -qs 'on air' "$work/publisher.err"
  timeout --kill-after=5 30 "$bin/player" --relay "$over://$relay" --insecure --room "$room" --display none \
    --stats json --duration 6s 2>"$err" | tail -n 1 >"$work/player.out"
  kill "$publisher" 2>/dev/null
  count=$(node -p 'const { frames, sound } = JSON.parse(require("fs").readFileSync(0)); `${frames.decoded} pictures decoded, ${frames.shown} shown, ${sound.decoded} packets of sound`' \
    <"$work/player.out" 2>/dev/null) || count="the player: $(tail -n 1 "$err")"
  # Six seconds of 30 pictures each, less what a start on a busy machine costs.
  case "$what" in
    *arrive) [[ $count =~ ^([0-9]+).*,\ ([0-9]+)\ packets && ${BASH_REMATCH[1]} -ge 90 && ${BASH_REMATCH[2]} -ge 150 ]] ;;
    *) [[ $count =~ ,\ ([0-9]+)\ shown && ${BASH_REMATCH[1]} -ge 90 ]] ;;
  esac && result "$who" broadcast "$what" "$over" ok || result "$who" broadcast "$what" "$over" no "$count"
}

# film OVER WHAT SUBSCRIBER-OPTIONS PUBLISHER-OPTIONS: moq-pub and moq-sub with our relay between them.
film() {
  local over=$1 what=$2 name="film-$1-$RANDOM" frames publisher source
  mkfifo "$work/$name"
  ffmpeg -v error -re -f lavfi -i testsrc2=size=320x180:rate=24 -t 30 -c:v libx264 -preset ultrafast -g 24 -bf 0 \
    -pix_fmt yuv420p -f mp4 -movflags empty_moov+frag_every_frame+separate_moof+omit_tfhd_offset "$work/$name" -y 2>"$work/ffmpeg.err" &
  source=$!
  # shellcheck disable=SC2086
  "$PEERS/bin/moq-pub" --tls-disable-verify --name "$name" $4 "$over://$relay" <"$work/$name" >"$work/pub.log" 2>&1 &
  publisher=$!
  started+=("$source" "$publisher")
  sleep 4 # for some groups of a second each
  # shellcheck disable=SC2086
  timeout 5 "$PEERS/bin/moq-sub" --tls-disable-verify --name "$name" $3 "$over://$relay" >"$work/$name.mp4" 2>"$work/sub.log"
  kill "$source" "$publisher" 2>/dev/null
  frames=$(ffprobe -v quiet -count_frames -show_entries stream=nb_read_frames -of csv=p=0 "$work/$name.mp4")
  if [ "${frames:-0}" -ge 48 ] 2>/dev/null; then
    result 'moq-pub -> relay -> moq-sub' film "$what" "$over" ok
  else
    result 'moq-pub -> relay -> moq-sub' film "$what" "$over" no "${frames:-no} pictures; $(tail -n 1 "$work/sub.log")"
  fi
}

# The part of README.md between its two markers.
table() {
  local row who set over cells
  echo '| who with whom | what | `moqt://` | `https://` |'
  echo '|---|---|---|---|'
  for row in "${rows[@]}"; do
    IFS=';' read -r who set <<<"$row"
    cells=
    for over in moqt https; do cells+=" ${good[$row;$over]:-0} of ${all[$row;$over]:-0} |"; done
    echo "| ${who//->/→} | $set |$cells"
  done
  [ ${#notes[@]} -eq 0 ] && return
  echo
  echo 'What does not pass:'
  echo
  printf '%s\n' "${notes[@]}" | sed 's/->/→/g; s/^/- /'
}

update_readme() {
  table >"$work/table"
  awk -v file="$work/table" '
    /^<!-- \/interop -->$/ { hidden = 0 }
    !hidden
    /^<!-- interop/ { hidden = 1; print ""; while ((getline line < file) > 0) print line; print "" }' README.md >"$work/readme"
  cmp -s "$work/readme" README.md || { cp "$work/readme" README.md; echo "README.md has a new table"; }
}

# have PEERS: whether they are there; a peer that cannot be built fails as a whole.
have() {
  "$1" && return
  failed=$((failed + 1)) failures+=("$1 of tests/tools/peers.sh cannot be built")
  return 1
}

test_client() {
  our_relay && suite 'moq-test-client -> relay' "$PEERS/bin/moq-test-client"
}

rs_tools() {
  local over
  say "moq-pub, our relay, moq-sub"
  for over in moqt https; do
    film "$over" 'namespace announced' '' ''
    film "$over" 'tracks published' '' --publish
    film "$over" 'found by its catalog' --catalog ''
    film "$over" 'joined two groups back' '--join-groups 2' '--fetch-groups 8'
  done
}

rs_relay() {
  local over
  say "moq-relay-ietf"
  ietf_relay || return
  suite 'moqt-interop-client -> moq-relay-ietf' "$bin/moqt-interop-client"
  for over in moqt https; do broadcast 'publisher -> moq-relay-ietf -> player' 'shown in time' "$over"; done
}

dev() {
  local over who='publisher -> moq-relay -> player'
  say "moq-dev's moq-relay"
  dev_relay || return
  suite 'moqt-interop-client -> moq-relay' "$bin/moqt-interop-client"
  for over in moqt https; do
    broadcast "$who" 'pictures and sound arrive' "$over" --temporal-layers 1
    broadcast "$who" 'shown in time' "$over" --temporal-layers 1
    broadcast "$who" 'two temporal layers' "$over" --temporal-layers 2
  done
}

everything() {
  local has_client=no has_rs=no has_dev=no
  have moq_test_client && has_client=yes
  have moq_rs && has_rs=yes
  have moq_dev && has_dev=yes
  peers_built
  say "our relay"
  [ "$has_client" = no ] || test_client
  [ ${#started[@]} -gt 0 ] || our_relay
  suite 'moqt-interop-client -> relay' "$bin/moqt-interop-client"
  [ "$has_rs" = no ] || rs_tools
  stop
  [ "$has_rs" = no ] || rs_relay
  stop
  [ "$has_dev" = no ] || dev
  stop
}

case "${1:-all}" in
  all)
    tests/tools/setup.sh test && build_page || { echo "0 passed, 1 failed"; exit 1; }
    say "building our programs"
    cargo build --locked --workspace --bins || { echo "0 passed, 1 failed"; exit 1; }
    everything
    say "the table"
    table
    update_readme
    ;;
  quick) have moq_test_client && peers_built && test_client ;;
  *) echo "interop.sh: unknown argument $1: quick, or none for all" >&2; exit 2 ;;
esac
say "$((SECONDS / 60)) min $((SECONDS % 60)) s"
for failure in "${failures[@]}"; do echo "failed: $failure"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
