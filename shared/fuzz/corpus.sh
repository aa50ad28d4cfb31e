#!/usr/bin/env bash
# Turns a corpus in git, one input a line, into the folder that a fuzzer wants, and back.
#   corpus.sh unpack FOLDER   FOLDER/TARGET gets a file for each input of corpus/TARGET.txt
#   corpus.sh pack FOLDER     corpus/TARGET.txt gets a line for each file of FOLDER/TARGET
set -euo pipefail
folder=$(realpath -m "${2:?write unpack or pack, and a folder}")
cd "$(dirname "$0")"
for target in fuzz_targets/*.rs; do
  target=$(basename "$target" .rs)
  case "$1" in
    unpack)
      mkdir -p "$folder/$target"
      number=0
      while read -r line; do
        number=$((number + 1))
        base64 -d <<<"$line" >"$folder/$target/$number"
      done <"corpus/$target.txt"
      ;;
    pack)
      for input in "$folder/$target"/*; do
        base64 -w 0 "$input"
        echo
      done | LC_ALL=C sort >"corpus/$target.txt"
      ;;
    *) echo "corpus.sh: unknown command $1: write unpack or pack" >&2; exit 2 ;;
  esac
done
