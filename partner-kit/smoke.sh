#!/usr/bin/env bash
# Gets one token with curl and openssl, and says for what.
set -euo pipefail
cd "$(dirname "$0")"
. ./settings.env
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# jwt KEY HEAD BODY, signed by PS256
jwt() {
  local text
  text=$(printf '%s' "$2" | base64url).$(printf '%s' "$3" | base64url)
  printf '%s.%s' "$text" "$(printf '%s' "$text" | openssl dgst -sha256 -sign "$1" -binary \
    -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest | base64url)"
}
# a proof of a key of this run (RFC 9449), with the nonce that the gateway has told
proof() {
  local n nonce=
  n=$(printf '%b' "$(openssl rsa -in "$work/key.pem" -noout -modulus | cut -d= -f2 | sed 's/../\\x&/g')" | base64url)
  if [ -n "$1" ]; then nonce=",\"nonce\":\"$1\""; fi
  jwt "$work/key.pem" "{\"typ\":\"dpop+jwt\",\"alg\":\"PS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"$n\",\"e\":\"AQAB\"}}" \
    "{\"htm\":\"POST\",\"htu\":\"$TOKEN_ENDPOINT\",\"iat\":$(date +%s),\"jti\":\"$(openssl rand -hex 16)\"$nonce}"
}
ask() {
  local now head body who=(--data-urlencode "client_id=$CLIENT_ID") more=()
  local type='client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  case $AUTH_METHOD in
    private_key_jwt)
      now=$(date +%s)
      head="{\"alg\":\"PS256\",\"typ\":\"JWT\",\"kid\":\"$(cat key-id.txt)\"}"
      body="{\"iss\":\"$CLIENT_ID\",\"sub\":\"$CLIENT_ID\",\"aud\":\"$ISSUER\",\"iat\":$now,\"exp\":$((now + 60)),\"jti\":\"$(openssl rand -hex 16)\"}"
      who+=(--data-urlencode "$type" --data "client_assertion=$(jwt private-key.pem "$head" "$body")")
      ;;
    federated) who+=(--data-urlencode "$type" --data-urlencode "client_assertion=$(cat "$TOKEN_FILE")") ;;
    client_secret_basic) who=(--user "$CLIENT_ID:$CLIENT_SECRET") ;;
    client_secret_post) who+=(--data-urlencode "client_secret=$CLIENT_SECRET") ;;
  esac
  if [ -n "$CERTIFICATE" ]; then more+=(--cert "$CERTIFICATE" --key private-key.pem); fi
  if [ "$BOUND_TO" = key ]; then more+=(--header "DPoP: $(proof "${1:-}")"); fi
  curl --silent --show-error --max-time 20 --dump-header "$work/head" "${more[@]}" \
    --data grant_type=client_credentials --data-urlencode "resource=$RESOURCE" --data-urlencode "scope=$SCOPE" \
    "${who[@]}" "$TOKEN_ENDPOINT"
}
if [ "$BOUND_TO" = key ]; then
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/key.pem" 2>/dev/null
fi
answer=$(ask)
case $answer in
  *use_dpop_nonce*) answer=$(ask "$(sed -n 's/^dpop-nonce: *\([^[:space:]]*\).*/\1/Ip' "$work/head")") ;;
esac
case $answer in
  *'"access_token"'*) echo "ok: curl has a token for $SCOPE at $RESOURCE" ;;
  *) echo "refused: $answer" >&2; exit 1 ;;
esac
