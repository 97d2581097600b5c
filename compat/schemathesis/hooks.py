"""Names what is there.

Most of what schemathesis makes up does not exist, and a 404 says little. Half of the requests that
do not delete anything are pointed at the gateway's own session, account, auth config and toolkits.
"""

import json
import os
import zlib

import schemathesis

THERE = json.loads(os.environ["GATEWAY"])
SCHEMES = {"acme": "API_KEY", "github": "BEARER_TOKEN", "open": "NO_AUTH"}


def turn(case, what):
    """A number that is the same for the same request, in every run."""
    shape = json.dumps([case.operation.label, what, case.path_parameters, case.body], default=repr)
    return zlib.crc32(shape.encode())


# At an earlier stage, equal requests would be generated again until they differ.
@schemathesis.hook
def before_call(context, case, kwargs):
    path, method = case.operation.path, case.operation.method.upper()
    if method != "DELETE" and case.path_parameters and turn(case, "path") % 2:
        if "/tool_router/session/{id}" in path:
            case.path_parameters["id"] = THERE["session"]
        elif "/connected_accounts/{id}" in path:
            case.path_parameters["id"] = THERE["githubAccount"]
        elif "/auth_configs/{id}" in path:
            case.path_parameters["id"] = THERE["authConfig"]
        elif "/toolkits/{slug}" in path:
            case.path_parameters["slug"] = "github"
    if isinstance(case.body, dict) and turn(case, "body") % 2:
        toolkit = sorted(SCHEMES)[turn(case, "toolkit") % 3]
        custom = {"type": "use_custom_auth", "authScheme": SCHEMES[toolkit], "credentials": {"client_id": "a"}}
        for field, value in {
            "toolkit_slug": toolkit,
            "toolkit": {"slug": toolkit} if path.endswith("/auth_configs") else toolkit,
            "connected_account_id": THERE["githubAccount"],
            "auth_config_id": THERE["authConfig"],
            "auth_config": custom if path.endswith("/auth_configs") else {"id": THERE["authConfig"]},
            "endpoint": "/x",
        }.items():
            if field in case.body:
                case.body[field] = value
        # Credentials in the call and an account exclude each other. In a session, they would have to match its toolkit.
        if "connected_account_id" in case.body or "toolkit_slug" in case.body:
            case.body.pop("custom_connection_data", None)
