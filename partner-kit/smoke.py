"""Gets one token with Authlib, and says for what. Debian: python3-authlib and python3-requests."""
import pathlib
import re
import sys

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

here = pathlib.Path(__file__).parent
settings = dict(re.findall(r"^([A-Z_]+)='(.*)'$", (here / "settings.env").read_text(), re.M))
method = settings["AUTH_METHOD"]
secret = settings["CLIENT_SECRET"]
if method == "private_key_jwt":
    secret = (here / "private-key.pem").read_text()
session = OAuth2Session(settings["CLIENT_ID"], secret, token_endpoint_auth_method=method)
# the audience is the issuer
session.register_client_auth_method(PrivateKeyJWT(settings["ISSUER"], alg="PS256"))
try:
    token = session.fetch_token(
        settings["TOKEN_ENDPOINT"],
        grant_type="client_credentials",
        resource=settings["RESOURCE"],
        scope=settings["SCOPE"],
    )
except Exception as error:
    sys.exit(f"refused: {error}")
print(f"ok: Python has a token for {token['scope']} at {settings['RESOURCE']}, for {token['expires_in']} s")
