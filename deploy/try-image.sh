#!/bin/sh
# Builds the Dockerfile and runs what it makes, on a Debian machine where there is no container engine:
#   apt-get install buildah mmdebstrap && npm ci && deploy/try-image.sh
# As root. The base is made here, from Debian's packages and the Node that `npm ci` brought, and has the name of the official
# one: what is tried is the Dockerfile and the image it makes, not the official base. Takes some minutes and 3 GB in TMPDIR.
set -eu
cd "$(dirname "$0")/.."
checkout=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/portico-image-XXXXXX")
images() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
running=
clean() {
  [ -z "$running" ] || kill -KILL "$running" 2>/dev/null || true
  images rm --all >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

echo '--- a base with the name of the official one'
mmdebstrap --quiet --variant=minbase --include=ca-certificates,libatomic1 "${DEBIAN:-bookworm}" "$work/base.tar"
images from --name base scratch >/dev/null
images add -q base "$work/base.tar" / >/dev/null
rm "$work/base.tar"
base=$(images mount base)
# the one of the tests, whatever the machine has itself
cp node_modules/node/bin/node "$base/usr/local/bin/node"
mkdir "$work/npm"
npm pack --silent --pack-destination "$work/npm" npm@11 >/dev/null
mkdir -p "$base/usr/local/lib/node_modules/npm"
tar -xzf "$work"/npm/npm-*.tgz --strip-components=1 -C "$base/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$base/usr/local/bin/npm"
images umount base >/dev/null
images config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin base
images commit -q --rm base localhost/node:26-slim >/dev/null

echo '--- the image, from the Dockerfile as it is'
# the authorities that this machine trusts, for npm alone
echo 'cafile=/etc/ssl/certs/ca-certificates.crt' > "$work/npmrc"
# the format has a place for HEALTHCHECK, that of OCI has none
images build --format docker --isolation chroot --network host --pull-never \
  --volume /etc/ssl/certs:/etc/ssl/certs:ro --volume "$work/npmrc:/root/.npmrc:ro" --tag localhost/portico:try --file Dockerfile .
images from --name tried localhost/portico:try >/dev/null
root=$(images mount tried)
read_config() { images inspect --type image --format "$1" localhost/portico:try; }
user=$(read_config '{{ .OCIv1.Config.User }}')
echo "user $user, ports $(read_config '{{ .OCIv1.Config.ExposedPorts }}'), volumes $(read_config '{{ .OCIv1.Config.Volumes }}')"
du -sh "$root" | sed "s#$root#image #"
[ "$user" = 1000:1000 ] || { echo 'not the user 1000:1000'; exit 1; }

echo '--- runs, with a read-only root and an empty volume, as that user, in a network of its own'
mkdir "$work/data"
chown "$user" "$work/data"
chmod 0700 "$work/data"
read_config '{{ range .OCIv1.Config.Env }}{{ . }}
{{ end }}' | sed '/^$/d' > "$work/environment"
read_config '{{ range .OCIv1.Config.Cmd }}{{ . }}
{{ end }}' | sed '/^$/d' > "$work/command"
cat > "$work/inside.sh" <<'INSIDE'
set -eu
root=$1 user=$2 work=$3
ip link set lo up
mount --bind "$root" "$root"
mount --bind "$work/data" "$root/app/data"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for device in null urandom random; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
as_image() { exec env -i $(cat "$work/environment") chroot --userspec="$user" "$root" sh -c 'cd /app && exec "$@"' sh "$@"; }
in_image() { (as_image "$@"); }
in_image sh -c ': > /app/written' 2>/dev/null && { echo 'the root can be written to'; exit 1; }
mapfile -t command < "$work/command"
# its process id is that of Node, as it is in a container
as_image "${command[@]}" &
server=$!
trap 'kill -KILL $server 2>/dev/null || true' EXIT
get="const [, url] = process.argv
fetch(url).then(async (r) => { console.log(url, r.status, (await r.text()).slice(0, 160)); process.exit(r.ok ? 0 : 1) }, () => process.exit(2))"
for attempt in $(seq 60); do
  in_image node -e "$get" http://127.0.0.1:9090/readyz && break
  kill -0 $server || exit 1
  read -r -t 0.5 <> <(:) || true
done
in_image node -e "$get" http://127.0.0.1:9090/healthz
in_image node -e "$get" http://127.0.0.1:3000/.well-known/openid-configuration
in_image node src/portico.js people list
kill -TERM $server
trap - EXIT
wait $server
echo "ended by SIGTERM with $?"
INSIDE
unshare --mount --net --pid --fork --kill-child bash "$work/inside.sh" "$root" "$user" "$work" &
running=$!
wait "$running"
running=
ls -la "$work/data" | sed '1d'
[ -n "$(find "$work/data" -name master.key -perm 0600)" ] || { echo 'no master key'; exit 1; }
echo "--- all well: built from $checkout"
