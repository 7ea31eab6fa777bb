"""Gets one token with Authlib, and says for what. Debian: python3-authlib and python3-requests."""
import json
import pathlib
import re
import secrets
import sys
import time

try:
    from authlib.common.urls import add_params_to_qs
    from authlib.integrations.requests_client import OAuth2Session
    from authlib.jose import JsonWebKey, JsonWebSignature
    from authlib.oauth2.rfc7523 import PrivateKeyJWT
except ModuleNotFoundError as missing:
    sys.exit(f"{sys.executable} has no {missing.name}: install Authlib and Requests (Debian: python3-authlib and python3-requests)")

here = pathlib.Path(__file__).parent
settings = dict(re.findall(r"^([A-Z_]+)='(.*)'$", (here / "settings.env").read_text(), re.M))
method = settings["AUTH_METHOD"]
secret = settings["CLIENT_SECRET"]
if method == "private_key_jwt":
    secret = (here / "private-key.pem").read_text()


def federated(client, _method, uri, headers, body):
    """Somebody else's token in the place of a key."""
    assertion = pathlib.Path(here, settings["TOKEN_FILE"]).read_text().strip()
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    fields = [("client_id", client.client_id), ("client_assertion_type", kind), ("client_assertion", assertion)]
    body = add_params_to_qs(body or "", fields)
    headers["Content-Length"] = str(len(body))
    return uri, headers, body


# a certificate comes with the connection: the form has nothing but the client's id
session = OAuth2Session(
    settings["CLIENT_ID"], secret, token_endpoint_auth_method="none" if "tls_" in method else method
)
# the audience is the issuer
session.register_client_auth_method(PrivateKeyJWT(settings["ISSUER"], alg="PS256"))
session.register_client_auth_method(("federated", federated))
if settings["CERTIFICATE"]:
    session.cert = (str(here / settings["CERTIFICATE"]), str(here / "private-key.pem"))

key = JsonWebKey.generate_key("EC", "P-256", is_private=True)
nonces = []


def noted(answer):
    if "DPoP-Nonce" in answer.headers:
        nonces.append(answer.headers["DPoP-Nonce"])
    return answer


session.register_compliance_hook("access_token_response", noted)


def proof():
    """Of a key of this run (RFC 9449), with the nonce that the gateway has told."""
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(is_private=False)}
    about = {"htm": "POST", "htu": settings["TOKEN_ENDPOINT"], "iat": int(time.time()), "jti": secrets.token_hex(16)}
    body = json.dumps({**about, **({"nonce": nonces[-1]} if nonces else {})})
    return JsonWebSignature(["ES256"]).serialize_compact(head, body.encode(), key).decode()


def ask():
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if settings["BOUND_TO"] == "key":
        headers["DPoP"] = proof()
    return session.fetch_token(
        settings["TOKEN_ENDPOINT"],
        headers=headers,
        grant_type="client_credentials",
        resource=settings["RESOURCE"],
        scope=settings["SCOPE"],
    )


try:
    try:
        token = ask()
    except Exception as error:
        if getattr(error, "error", None) != "use_dpop_nonce":
            raise
        token = ask()
except Exception as error:
    sys.exit(f"refused: {error}")
print(f"ok: Python has a token for {token['scope']} at {settings['RESOURCE']}, for {token['expires_in']} s")
