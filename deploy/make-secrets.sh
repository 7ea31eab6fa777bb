#!/bin/sh
# Makes the files that compose.yaml names as secrets, where they are not there: in deploy/secrets, or the folder that is given.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
cd "$folder"
random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
keep() { [ -e "$1" ] || { cat > "$1.new" && chmod 0444 "$1.new" && mv "$1.new" "$1"; }; }
random | keep master_key
random | keep postgres_password
printf 'postgres://portico:%s@postgres/portico?sslmode=disable' "$(cat postgres_password)" | keep storage_url
random | keep redis_password
printf 'requirepass %s\n' "$(cat redis_password)" | keep redis_conf
