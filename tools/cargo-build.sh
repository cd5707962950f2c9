#!/bin/sh
# Builds the programs with cargo and puts them where meson looks for them; called by meson.build.
# Usage: cargo-build.sh CARGO SOURCE-DIRECTORY OUTPUT...
set -eu

cargo=${CARGO:-$1} source=$2
shift 2
out=$(realpath "$(dirname "$1")")
target=${CARGO_TARGET_DIR:-$out/cargo}

"$cargo" build --release --locked --bins --manifest-path "$source/Cargo.toml" --target-dir "$target"
for program in "$@"; do
	built=$target/release/${program##*/}
	# An unchanged program keeps its time, so that nothing made from it is made again.
	cmp -s "$built" "$program" || install -m 755 "$built" "$program"
done
