"""An app on Authlib, as Debian ships it: `/` sends whoever is not known to sign in, and says who they are."""
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

port, issuer, client_id, client_secret = int(sys.argv[1]), *sys.argv[2:5]
base = f"http://localhost:{port}"
provider = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
jwt = JsonWebToken(["ES256", "RS256"])
begun, known, spent = {}, {}, set()
BACKCHANNEL = "http://schemas.openid.net/event/backchannel-logout"


def keys():
    return JsonWebKey.import_key_set(requests.get(provider["jwks_uri"], timeout=10).json())


def client(**more):
    return OAuth2Session(
        client_id,
        client_secret,
        scope="openid profile email",
        redirect_uri=f"{base}/callback",
        token_endpoint_auth_method="client_secret_basic",
        code_challenge_method="S256",
        **more,
    )


def id_claims(token, nonce=None):
    claims = jwt.decode(
        token,
        keys(),
        claims_cls=CodeIDToken,
        claims_options={"iss": {"value": issuer}, "aud": {"value": client_id}},
        claims_params={"client_id": client_id, **({"nonce": nonce} if nonce else {})},
    )
    claims.validate(leeway=5)
    return claims


def logged_out(token):
    """OpenID Connect Back-Channel Logout 1.0 §2.6; Authlib has the signature and the claims."""
    claims = jwt.decode(
        token,
        keys(),
        claims_options={
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
            "iat": {"essential": True},
            "exp": {"essential": True},
            "jti": {"essential": True},
            "events": {"essential": True, "validate": lambda _, events: events.get(BACKCHANNEL) == {}},
        },
    )
    claims.validate(now=int(time.time()), leeway=5)
    if claims.header.get("typ") != "logout+jwt" or "nonce" in claims or claims["jti"] in spent:
        raise ValueError("this is no logout token, or it has come before")
    spent.add(claims["jti"])
    for cookie, who in list(known.items()):
        if who["sid"] == claims["sid"] if "sid" in claims else who["sub"] == claims["sub"]:
            del known[cookie]


class App(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def cookie(self):
        return (self.headers.get("cookie") or "").partition("authlib=")[2].partition(";")[0]

    def do_GET(self):
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        try:
            who = known.get(self.cookie())
            if path == "/callback":
                state = query["state"][0]
                verifier, nonce = begun.pop(state)
                session = client(state=state)
                token = session.fetch_token(
                    provider["token_endpoint"],
                    authorization_response=f"{base}{self.path}",
                    code_verifier=verifier,
                )
                claims = id_claims(token["id_token"], nonce)
                info = session.get(provider["userinfo_endpoint"]).json()
                if info["sub"] != claims["sub"]:
                    raise ValueError("userinfo is of somebody else")
                cookie = secrets.token_urlsafe(16)
                known[cookie] = {"sub": claims["sub"], "sid": claims["sid"], "info": info, "token": token}
                self.answer(303, location="/", set_cookie=f"authlib={cookie}; Path=/; HttpOnly")
            elif path == "/bye":
                self.answer(200, json.dumps({"bye": query.get("state")}))
            elif who is None:
                verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
                url, state = client().create_authorization_url(
                    provider["authorization_endpoint"], code_verifier=verifier, nonce=nonce
                )
                begun[state] = (verifier, nonce)
                self.answer(303, location=url)
            elif path == "/":
                self.answer(200, json.dumps(who["info"]), content_type="application/json")
            elif path == "/token":
                self.answer(200, who["token"]["id_token"])
            elif path == "/refresh":
                old = who["token"]["refresh_token"]
                token = client(token=who["token"]).refresh_token(provider["token_endpoint"], refresh_token=old)
                claims = id_claims(token["id_token"])
                who["token"] = token
                said = {"sub": claims["sub"], "sid": claims["sid"], "changed": token["refresh_token"] != old}
                self.answer(200, json.dumps(said), content_type="application/json")
            elif path == "/logout":
                del known[self.cookie()]
                fields = {
                    "id_token_hint": who["token"]["id_token"],
                    "post_logout_redirect_uri": f"{base}/bye",
                    "state": "and back",
                }
                self.answer(303, location=f"{provider['end_session_endpoint']}?{urlencode(fields)}")
            else:
                self.answer(404)
        except Exception as error:  # the test reads what went wrong
            self.answer(400, f"{type(error).__name__}: {error}")

    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        try:
            logged_out(body["logout_token"][0])
            self.answer(200, cache_control="no-store")
        except Exception as error:
            self.answer(400, f"{type(error).__name__}: {error}")


server = ThreadingHTTPServer(("127.0.0.1", port), App)
print("ready", flush=True)
server.serve_forever()
