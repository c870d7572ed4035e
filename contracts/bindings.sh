#!/bin/sh
# Compiles the contracts and rewrites what is generated from them: l1/bindings/*.go,
# bridge/predeploys/*.hex, contracts/snapshots/storage.txt. With --check it writes
# nothing and fails if a committed file differs. Needs `npm ci` in contracts/.
set -eu
cd "$(dirname "$0")"
case "${1-}" in
'' | --check) ;;
*)
	echo "usage: bindings.sh [--check]" >&2
	exit 2
	;;
esac
./forge build --quiet
cd ..
exec go run ./l1/bindings/gen ${1:+-check}
