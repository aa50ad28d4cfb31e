# Programs that others wrote, pinned and built once into .cache/peers. Sourced, from the project's top folder.
# Written beside lib.sh, whose `say` it uses.
PEERS=.cache/peers

# peer NAME VERSION [locked|unlocked]: installs it where it is not there yet.
peer() {
  grep -qF "\"$1 $2 (" "$PEERS/.crates.toml" 2>/dev/null && [ -x "$PEERS/bin/$1" ] && return
  say "building $1 $2, once"
  local lock=(--locked)
  [ "${3:-locked}" = locked ] || lock=()
  # What they share is built once. Theirs is a folder of its own: what is built for us is built otherwise.
  CARGO_TARGET_DIR="$PWD/$PEERS/build-${3:-locked}" nice -n 15 \
    cargo install --quiet "${lock[@]}" --root "$PEERS" "$1@$2"
}

# What each peer is, and how long it builds on two cores.
moq_test_client() { peer moq-test-client 0.2.0; }                                    # 2 minutes
moq_rs() { peer moq-relay-ietf 0.8.0 && peer moq-pub 0.10.0 && peer moq-sub 0.5.0; } # 7 minutes
moq_dev() { peer moq-relay 0.17.10 unlocked; }                                       # 20 minutes; its lock file does not resolve

# Removes what is needed only for building.
peers_built() { rm -rf "$PEERS"/build-*; }
