#!/usr/bin/env bash
# Makes a key of your own. private-key.pem stays with you; jwks.json is what you send back.
set -euo pipefail
cd "$(dirname "$0")"
if [ -e private-key.pem ]; then echo 'private-key.pem is there already' >&2; exit 1; fi
umask 077
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out private-key.pem 2>/dev/null ||
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out private-key.pem 2>/dev/null
modulus=$(openssl rsa -in private-key.pem -noout -modulus | cut -d= -f2)
n=$(printf '%b' "$(printf '%s' "$modulus" | sed 's/../\\x&/g')" | openssl base64 -A | tr '+/' '-_' | tr -d '=')
kid=$(printf '%s' "$modulus" | openssl dgst -sha256 -r | cut -c1-16)
umask 022
printf '%s' "$kid" > key-id.txt
printf '{"keys":[{"kty":"RSA","use":"sig","alg":"PS256","kid":"%s","n":"%s","e":"AQAB"}]}\n' "$kid" "$n" > jwks.json
echo 'private-key.pem is yours and goes nowhere; send jwks.json'
