#!/usr/bin/env bash
# Gets one token with curl and openssl, and says for what.
set -euo pipefail
cd "$(dirname "$0")"
. ./settings.env
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
case $AUTH_METHOD in
  private_key_jwt)
    now=$(date +%s)
    head=$(printf '{"alg":"PS256","typ":"JWT","kid":"%s"}' "$(cat key-id.txt)" | base64url)
    body=$(printf '{"iss":"%s","sub":"%s","aud":"%s","iat":%d,"exp":%d,"jti":"%s"}' \
      "$CLIENT_ID" "$CLIENT_ID" "$ISSUER" "$now" "$((now + 60))" "$(openssl rand -hex 16)" | base64url)
    signature=$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign private-key.pem -binary \
      -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest | base64url)
    who=(--data-urlencode "client_id=$CLIENT_ID"
      --data-urlencode 'client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
      --data "client_assertion=$head.$body.$signature")
    ;;
  client_secret_basic) who=(--user "$CLIENT_ID:$CLIENT_SECRET") ;;
  client_secret_post) who=(--data-urlencode "client_id=$CLIENT_ID" --data-urlencode "client_secret=$CLIENT_SECRET") ;;
esac
answer=$(curl --silent --show-error --max-time 20 --data grant_type=client_credentials \
  --data-urlencode "resource=$RESOURCE" --data-urlencode "scope=$SCOPE" "${who[@]}" "$TOKEN_ENDPOINT")
case $answer in
  *'"access_token"'*) echo "ok: curl has a token for $SCOPE at $RESOURCE" ;;
  *) echo "refused: $answer" >&2; exit 1 ;;
esac
