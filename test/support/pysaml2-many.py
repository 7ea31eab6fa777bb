"""Service providers on pysaml2, as Debian ships it: as many as are named, in one process and without a server.

Standard input holds a list of them in its first line; a line with a request of each comes back. Every further line is an
answer that one of them was posted, and a line of what it made of that comes back.
"""
import json
import sys

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig

FORMATS = {
    "persistent": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "transient": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
    "emailAddress": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "unspecified": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
}
metadata = sys.argv[1]


def client_of(pattern):
    config = SPConfig()
    config.load(
        {
            "entityid": pattern["entityId"],
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "metadata": {"local": [metadata]},
            "allow_unknown_attributes": True,
            "service": {
                "sp": {
                    "endpoints": {
                        "assertion_consumer_service": [(url, BINDING_HTTP_POST) for url in pattern["acsUrls"]]
                    },
                    "name_id_format": [FORMATS[pattern["nameIdFormat"]]],
                    "requested_attribute_name_format": "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified",
                    "authn_requests_signed": False,
                    "want_assertions_signed": "assertion" in pattern["sign"],
                    "want_response_signed": "response" in pattern["sign"],
                    "allow_unsolicited": False,
                }
            },
        }
    )
    return Saml2Client(config=config)


def say(what):
    print(json.dumps(what), flush=True)


clients, outstanding, begun = {}, {}, []
for pattern in json.loads(sys.stdin.readline()):
    client = clients[pattern["slug"]] = client_of(pattern)
    for acs in pattern["acsUrls"]:
        request, info = client.prepare_for_authenticate(
            relay_state=f"to-{pattern['slug']}",
            binding=BINDING_HTTP_REDIRECT,
            response_binding=BINDING_HTTP_POST,
            assertion_consumer_service_url=acs,
        )
        outstanding[request] = acs
        location = dict(info["headers"])["Location"]
        begun.append({"slug": pattern["slug"], "acs": acs, "request": request, "location": location})
say(begun)

for line in sys.stdin:
    answer = json.loads(line)
    said = {"request": answer["request"]}
    try:
        # signatures, issuer, audience, destination, recipient, times, and the request that it answers
        response = clients[answer["slug"]].parse_authn_request_response(
            answer["SAMLResponse"], BINDING_HTTP_POST, {answer["request"]: outstanding.pop(answer["request"])}
        )
        name = response.name_id
        said["name"] = {"value": name.text, "format": name.format, "for": name.sp_name_qualifier}
        said["attributes"] = [
            {"name": one.name, "format": one.name_format, "values": [value.text for value in one.attribute_value]}
            for statement in response.assertion.attribute_statement
            for one in statement.attribute
        ]
        # what the app's own code would be handed
        said["handed"] = sorted(value for values in response.ava.values() for value in values)
    except Exception as error:  # the test reads what went wrong
        said["error"] = f"{type(error).__name__}: {error}"
    say(said)
