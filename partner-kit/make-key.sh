#!/usr/bin/env bash
# Makes a key of your own, and what you send back. private-key.pem stays with you.
set -euo pipefail
cd "$(dirname "$0")"
. ./settings.env
if [ -e private-key.pem ]; then echo 'private-key.pem is there already' >&2; exit 1; fi
umask 077
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out private-key.pem 2>/dev/null ||
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out private-key.pem 2>/dev/null
umask 022
names=()
if [ -n "$SUBJECT_ALT_NAME" ]; then names=(-addext "subjectAltName=$SUBJECT_ALT_NAME"); fi
if [ "$AUTH_METHOD" = tls_client_auth ]; then
  openssl req -new -key private-key.pem -subj "$SUBJECT" "${names[@]}" -out request.pem
  echo 'private-key.pem is yours and goes nowhere; have request.pem signed, and put the answer into certificate.pem'
  exit
fi
if [ -n "$CERTIFICATE" ]; then
  openssl req -x509 -new -key private-key.pem -subj "$SUBJECT" -days 730 -addext basicConstraints=critical,CA:FALSE \
    -out certificate.pem
fi
modulus=$(openssl rsa -in private-key.pem -noout -modulus | cut -d= -f2)
n=$(printf '%b' "$(printf '%s' "$modulus" | sed 's/../\\x&/g')" | openssl base64 -A | tr '+/' '-_' | tr -d '=')
kid=$(printf '%s' "$modulus" | openssl dgst -sha256 -r | cut -c1-16)
case $AUTH_METHOD in
  private_key_jwt)
    printf '%s' "$kid" > key-id.txt
    printf '{"keys":[{"kty":"RSA","use":"sig","alg":"PS256","kid":"%s","n":"%s","e":"AQAB"}]}\n' "$kid" "$n" > jwks.json
    ;;
  self_signed_tls_client_auth)
    x5c=$(openssl x509 -in certificate.pem -outform DER | openssl base64 -A)
    printf '{"keys":[{"kty":"RSA","kid":"%s","n":"%s","e":"AQAB","x5c":["%s"]}]}\n' "$kid" "$n" "$x5c" > jwks.json
    ;;
  *) echo 'private-key.pem is yours and goes nowhere; there is nothing to send'; exit ;;
esac
echo 'private-key.pem is yours and goes nowhere; send jwks.json'
