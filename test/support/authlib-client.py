"""A program on Authlib, as Debian ships it: reads what to do as a line of JSON, answers with one."""
import json
import sys
from secrets import token_urlsafe
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken

CALLBACK = "http://localhost:9/callback"
SCOPE = "openid email orders:read"
ORDERS = "https://api.kestrel.example/orders"
STOCK = "https://api.kestrel.example/stock"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
jwt = JsonWebToken(["ES256"])
found = {}


def provider(issuer, certificate):
    if issuer not in found:
        found[issuer] = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()
    # RFC 8705, section 5
    return {**found[issuer], **(found[issuer]["mtls_endpoint_aliases"] if certificate else {})}


def session_of(asked, **more):
    method, folder = asked["method"], asked["folder"]
    secret = asked["secret"]
    if method == "private_key_jwt":
        with open(f"{folder}/signing.pem") as file:
            secret = file.read()
    session = OAuth2Session(
        asked["app"],
        secret,
        # a certificate comes with the connection: the form has nothing but the client's id
        token_endpoint_auth_method="none" if "tls_" in method else method,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        **more,
    )
    session.register_client_auth_method(
        PrivateKeyJWT(asked["issuer"], headers={"alg": "ES256", "kid": "signing"}, alg="ES256")
    )
    if asked["certificate"]:
        session.cert = (f"{folder}/{asked['certificate']}.pem", f"{folder}/{asked['certificate']}.key")
        session.verify = f"{folder}/ca.pem"
    return session


def identified(asked, token, nonce):
    keys = JsonWebKey.import_key_set(requests.get(found[asked["issuer"]]["jwks_uri"], timeout=30).json())
    claims = jwt.decode(
        token["id_token"],
        keys,
        claims_cls=CodeIDToken,
        claims_options={"iss": {"value": asked["issuer"]}, "aud": {"value": asked["app"]}},
        claims_params={"client_id": asked["app"], "nonce": nonce},
    )
    claims.validate(leeway=30)
    return token


def posted(session, url, fields):
    answer = session.post(
        url,
        data=fields,
        auth=session.client_auth(session.token_endpoint_auth_method),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        withhold_token=True,
    )
    body = answer.json()
    if not answer.ok:
        raise RuntimeError(f"{body.get('error')}: {body.get('error_description')}")
    return body


def done(asked):
    act = asked["act"]
    at = provider(asked["issuer"], asked["certificate"])
    session = session_of(asked, **({"state": asked["state"]} if act == "finish" else {}))
    if act == "begin":
        verifier, nonce = token_urlsafe(48), token_urlsafe(16)
        url, state = session.create_authorization_url(
            at["authorization_endpoint"], code_verifier=verifier, scope=SCOPE, resource=ORDERS, nonce=nonce
        )
        if asked["pushed"]:
            fields = dict(parse_qsl(urlsplit(url).query))
            if session.token_endpoint_auth_method in ("none", "client_secret_post"):
                # they put it into the form themselves
                del fields["client_id"]
            pushed = posted(session, at["pushed_authorization_request_endpoint"], fields)
            query = urlencode({"client_id": asked["app"], "request_uri": pushed["request_uri"]})
            url = f"{at['authorization_endpoint']}?{query}"
        return {"url": url, "state": state, "verifier": verifier, "nonce": nonce}
    if act == "finish":
        token = session.fetch_token(
            at["token_endpoint"],
            authorization_response=asked["callback"],
            code_verifier=asked["verifier"],
            resource=ORDERS,
        )
        return identified(asked, token, asked["nonce"])
    if act == "refresh":
        return session.refresh_token(at["token_endpoint"], refresh_token=asked["token"], resource=ORDERS)
    if act == "credentials":
        return session.fetch_token(
            at["token_endpoint"], grant_type="client_credentials", scope="orders:read", resource=ORDERS
        )
    if act == "device":
        begun = posted(session, at["device_authorization_endpoint"], {"scope": SCOPE, "resource": ORDERS})
        return {"url": begun["verification_uri_complete"], "device_code": begun["device_code"]}
    if act == "connected":
        return session.fetch_token(
            at["token_endpoint"], grant_type=DEVICE_CODE, device_code=asked["device_code"], resource=ORDERS
        )
    return session.fetch_token(
        at["token_endpoint"],
        grant_type=EXCHANGE,
        subject_token=asked["token"],
        subject_token_type=ACCESS_TOKEN,
        resource=STOCK,
    )


print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = {"done": done(json.loads(line))}
    except Exception as error:  # the test reads what went wrong
        answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
