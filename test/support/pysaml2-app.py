"""A SAML app on pysaml2, as Debian ships it: `/` asks whoever is not known to sign on, and says who they are."""
import base64
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, BINDING_SOAP
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.metadata import entity_descriptor

port, folder = int(sys.argv[1]), sys.argv[2]
base = f"http://localhost:{port}"
config = SPConfig()
config.load(
    {
        "entityid": f"{base}/metadata",
        "xmlsec_binary": "/usr/bin/xmlsec1",
        "key_file": f"{folder}/sp.key",
        "cert_file": f"{folder}/sp.pem",
        "encryption_keypairs": [{"key_file": f"{folder}/sp.key", "cert_file": f"{folder}/sp.pem"}],
        "metadata": {"local": [f"{folder}/idp.xml"]},
        "allow_unknown_attributes": True,
        "service": {
            "sp": {
                "endpoints": {
                    "assertion_consumer_service": [(f"{base}/acs", BINDING_HTTP_POST)],
                    "single_logout_service": [
                        (f"{base}/slo", BINDING_HTTP_REDIRECT),
                        (f"{base}/soap", BINDING_SOAP),
                    ],
                },
                "name_id_format": ["urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"],
                "signing_algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                "digest_algorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
                "authn_requests_signed": True,
                "logout_requests_signed": True,
                "want_assertions_signed": True,
                "want_response_signed": True,
            }
        },
    }
)
client = Saml2Client(config=config)
outstanding, known = {}, {}
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


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
        return (self.headers.get("cookie") or "").partition("pysaml2=")[2].partition(";")[0]

    def do_GET(self):
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        fields = {name: values[0] for name, values in query.items()}
        try:
            if path == "/metadata":
                self.answer(200, str(entity_descriptor(config)), content_type="application/samlmetadata+xml")
            elif path == "/":
                who = known.get(self.cookie())
                if who:
                    self.answer(200, json.dumps(who["said"]), content_type="application/json")
                else:
                    request, info = client.prepare_for_authenticate(
                        relay_state="/", binding=BINDING_HTTP_REDIRECT, response_binding=BINDING_HTTP_POST
                    )
                    outstanding[request] = "/"
                    self.answer(303, location=dict(info["headers"])["Location"])
            elif path == "/logout":
                who = known.pop(self.cookie(), None)
                idps = client.users.issuers_of_info(who["name"])
                sent = client.do_logout(
                    who["name"], idps, "", None, sign=True, expected_binding=BINDING_HTTP_REDIRECT
                )
                ((_, info),) = sent.values()
                self.answer(303, location=dict(info["headers"])["Location"])
            elif path == "/slo" and "SAMLResponse" in fields:
                response = client.parse_logout_request_response(fields["SAMLResponse"], BINDING_HTTP_REDIRECT)
                self.answer(200, json.dumps({"logout": response.status_ok()}))
            else:
                self.answer(404)
        except Exception as error:  # the test reads what went wrong
            self.answer(400, f"{type(error).__name__}: {error}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        try:
            if self.path == "/acs":
                fields = {name: values[0] for name, values in parse_qs(body).items()}
                # without conv_info pysaml2 leaves the Recipient unlooked at
                response = client.parse_authn_request_response(
                    fields["SAMLResponse"], BINDING_HTTP_POST, outstanding, conv_info={"entity_id": config.entityid}
                )
                # once: pysaml2 leaves it to the app to forget what was answered
                outstanding.pop(response.in_response_to, None)
                name = response.name_id
                key = name.text[:20]
                said = {"name": name.text, "format": name.format, "attributes": response.ava}
                known[key] = {"said": said, "name": name}
                self.answer(303, location="/", set_cookie=f"pysaml2={key}; Path=/")
            elif self.path == "/soap":
                # from an envelope pysaml2 writes the message anew, with other prefixes, which no signature survives
                inside = re.search(r"<samlp:LogoutRequest.*</samlp:LogoutRequest>", body, re.S).group(0)
                request = client.parse_logout_request(base64.b64encode(inside.encode()).decode(), BINDING_HTTP_POST)
                known.pop(request.message.name_id.text[:20], None)
                response = client.create_logout_response(request.message, [BINDING_SOAP], sign=True)
                message = re.sub(r"^<\?xml[^>]*\?>\s*", "", str(response))
                envelope = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{message}</s:Body></s:Envelope>'
                self.answer(200, envelope, content_type="text/xml")
            else:
                self.answer(404)
        except Exception as error:
            self.answer(400, f"{type(error).__name__}: {error}")


server = HTTPServer(("127.0.0.1", port), App)
print("ready", flush=True)
server.serve_forever()
