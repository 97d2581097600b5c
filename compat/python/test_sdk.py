"""The vendor's Python SDK, unchanged, against a gateway on a port.

The SDK checks every answer against the models that it was generated with; outside of these tests it
takes whatever comes.
"""

import json
import logging
import pathlib
import subprocess
import unittest
import warnings

import composio_client
from composio import Composio
from composio import exceptions
from composio.core.models.connected_accounts import auth_scheme

SCRIPT = pathlib.Path(__file__).parent.parent / "gateway.mjs"


class Log(logging.Handler):
    """Keeps what the SDK has to complain about."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


class SdkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("error")
        # The SDK cannot close its connections.
        warnings.simplefilter("ignore", ResourceWarning)
        cls.child = subprocess.Popen(
            ["node", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = cls.child.stdout.readline()
        if not line:
            raise RuntimeError(f"the gateway exited with {cls.child.wait()} before it listened")
        cls.gateway = json.loads(line)
        cls.log = Log()
        for name in ("composio", "composio_client", "httpx"):
            logging.getLogger(name).addHandler(cls.log)
        cls.composio = cls.sdk(cls.gateway["apiKey"])

    @classmethod
    def tearDownClass(cls):
        cls.child.communicate()
        if cls.child.returncode != 0:
            raise RuntimeError(f"the gateway exited with {cls.child.returncode}")

    def tearDown(self):
        lines, self.log.lines = self.log.lines, []
        self.assertEqual(lines, [], "the SDK has nothing to complain about")

    @classmethod
    def sdk(cls, api_key, base_url=None, **options):
        base_url = base_url or cls.gateway["baseURL"]
        composio = Composio(api_key=api_key, base_url=base_url, allow_tracking=False, **options)
        composio.client._strict_response_validation = True
        return composio

    def acme_config(self):
        options = {"type": "use_custom_auth", "auth_scheme": "API_KEY", "credentials": {}}
        return self.composio.auth_configs.create("acme", options)

    def fails(self, error, status, slug, attempt):
        with self.assertRaises(error) as caught:
            attempt()
        self.assertEqual(caught.exception.status_code, status)
        told = caught.exception.body["error"]
        self.assertEqual((told["slug"], told["status"]), (slug, status))
        self.assertEqual(told["request_id"], caught.exception.response.headers["x-request-id"])
        self.assertTrue(told["message"])


class QuickStarts(SdkTest):
    def test_github(self):
        session = self.composio.create(user_id="ann", toolkits=["github"])
        answer = session.proxy_execute(
            toolkit="github",
            endpoint="/repos/composiohq/composio/issues/1",
            method="GET",
            parameters=[{"name": "Accept", "value": "application/vnd.github.v3+json", "in": "header"}],
        )
        self.assertEqual(answer["status"], 200)
        self.assertEqual(answer["data"]["path"], "/repos/composiohq/composio/issues/1")
        self.assertEqual(answer["data"]["accept"], "application/vnd.github.v3+json")
        self.assertEqual(answer["data"]["authorization"], "Bearer token-of-ann")
        self.assertEqual(answer["headers"]["x-upstream"], "yes")

    def test_slack_bot(self):
        created = self.composio.create(
            user_id="ann",
            connected_accounts={"slackbot": [self.gateway["slackAccount"]]},
            manage_connections={
                "enable": True,
                "callback_url": "https://bot.example/callback",
                "wait_for_connections": True,
            },
        )
        session = self.composio.use(created.session_id)
        for path, body in [
            ("assistant.threads.setStatus", {"channel_id": "C1", "thread_ts": "1.2", "status": "is typing…"}),
            ("conversations.open", {"users": "U1"}),
        ]:
            answer = session.proxy_execute(
                toolkit="slackbot",
                endpoint=f"{self.gateway['upstreamURL']}/api/{path}",
                method="POST",
                body=body,
            )
            self.assertEqual((answer["status"], answer["data"]["body"]), (200, body))
        self.assertEqual(answer["data"]["channel"]["id"], "D024BE91L")


class Sessions(SdkTest):
    def test_create_use_update_delete(self):
        session = self.composio.create(user_id="ann", toolkits=["github"])
        self.assertTrue(session.session_id.startswith("trs_"))
        self.assertEqual(session.config_version, 1)
        self.assertEqual(session.config.toolkits.enabled, ["github"])
        used = self.composio.use(session.session_id)
        self.assertEqual(used.config.user_id, "ann")

        # The SDK sends a list as it is.
        used.update(toolkits=["slackbot"])
        self.assertEqual((used.config_version, used.config.toolkits.enabled), (2, ["slackbot"]))
        used.update(toolkits=None)
        self.assertEqual((used.config_version, used.config.toolkits), (3, None))
        used.update(toolkits={"enable": ["slackbot"]})
        self.assertEqual((used.config_version, used.config.toolkits.enabled), (4, ["slackbot"]))
        self.fails(
            composio_client.PermissionDeniedError,
            403,
            "ToolRouterV2_ToolkitNotAllowed",
            lambda: session.proxy_execute(toolkit="github", endpoint="/x", method="GET"),
        )
        deleted = session.delete()
        self.assertEqual(deleted, {"session_id": session.session_id, "deleted": True})
        self.fails(
            composio_client.NotFoundError,
            404,
            "ToolRouterV2_SessionNotFound",
            lambda: self.composio.use(session.session_id),
        )

    def test_toolkits(self):
        session = self.composio.create(user_id="ann", toolkits=["github", "acme", "open"])
        page = session.toolkits()
        acme, github, free = page.items
        self.assertEqual([acme.slug, github.slug, free.slug], ["acme", "github", "open"])
        self.assertFalse(acme.connection.is_active)
        self.assertTrue(github.connection.is_active)
        self.assertEqual(github.connection.connected_account.id, self.gateway["githubAccount"])
        self.assertTrue(free.is_no_auth)
        self.assertEqual([item.slug for item in session.toolkits(is_connected=True).items], ["github"])
        self.assertEqual([item.slug for item in session.toolkits(toolkits=["acme"]).items], ["acme"])
        first = session.toolkits(limit=2)
        self.assertEqual(first.total_pages, 2)
        rest = session.toolkits(limit=2, next_cursor=first.next_cursor)
        self.assertEqual([item.slug for item in rest.items], ["open"])

    def test_authorize(self):
        session = self.composio.create(user_id="bea", toolkits=["github"])
        request = session.authorize("github", callback_url="https://app.example/done", alias="work")
        self.assertIn("/connect/lt_", request.redirect_url)
        account = self.composio.connected_accounts.get(request.id)
        self.assertEqual((account.status, account.alias), ("INITIALIZING", "work"))
        self.composio.connected_accounts.delete(request.id)


class Calls(SdkTest):
    def call(self, **params):
        session = self.composio.create(user_id="ann", toolkits=["github"])
        return session.proxy_execute(**{"toolkit": "github", "endpoint": "/x", "method": "GET", **params})

    def test_methods_and_bodies(self):
        for method in ["POST", "PUT", "PATCH", "DELETE"]:
            with self.subTest(method):
                answer = self.call(method=method, body={"labels": ["bug"], "n": 1.5})
                self.assertEqual((answer["status"], answer["data"]["method"]), (200, method))
                self.assertEqual(answer["data"]["body"], {"labels": ["bug"], "n": 1.5})

    def test_parameters_and_absolute_urls(self):
        answer = self.call(
            endpoint=f"{self.gateway['upstreamURL']}/search?q=a%20b",
            parameters=[
                {"name": "page", "value": "2", "in": "query"},
                {"name": "tag", "value": "ü", "type": "query"},
            ],
        )
        self.assertEqual(answer["data"]["path"], "/search")
        self.assertEqual(answer["data"]["query"], [["q", "a b"], ["page", "2"], ["tag", "ü"]])

    def test_a_status_of_the_toolkit_is_a_value(self):
        for status in [400, 401, 403, 404, 422, 429, 500, 503]:
            with self.subTest(status):
                answer = self.call(endpoint=f"/status/{status}")
                self.assertEqual((answer["status"], answer["data"]["ok"]), (status, False))

    def test_text_and_nothing(self):
        self.assertEqual(self.call(endpoint="/text")["data"], "diff --git a/x b/x\n")
        nothing = self.call(endpoint="/nothing")
        self.assertEqual((nothing["status"], nothing["data"]), (204, None))

    def test_tools_proxy(self):
        answer = self.composio.tools.proxy(
            endpoint="/user",
            method="GET",
            connected_account_id=self.gateway["githubAccount"],
            parameters=[{"name": "page", "value": "1", "type": "query"}],
        )
        self.assertEqual((answer.status, answer.data["query"]), (200, [["page", "1"]]))
        self.assertEqual(answer.data["authorization"], "Bearer token-of-ann")

        head = self.composio.tools.proxy(
            endpoint="/user", method="HEAD", connected_account_id=self.gateway["githubAccount"]
        )
        self.assertEqual((head.status, head.data), (200, None))

        custom = {"authScheme": "API_KEY", "toolkitSlug": "acme", "val": {"api_key": "key-1"}}
        with self.assertWarnsRegex(Warning, "custom_connection_data.*deprecated"):
            answer = self.composio.tools.proxy(
                endpoint="/user", method="POST", body={"a": 1}, custom_connection_data=custom
            )
        self.assertEqual((answer.data["apiKey"], answer.data["body"]), ("key-1", {"a": 1}))


class Accounts(SdkTest):
    def test_auth_configs(self):
        configs = self.composio.auth_configs
        created = configs.create(
            "acme",
            {"type": "use_custom_auth", "name": "Acme for Python", "auth_scheme": "API_KEY", "credentials": {}},
        )
        self.assertEqual((created.auth_scheme, created.is_composio_managed), ("API_KEY", False))
        listed = configs.list(toolkit_slug="acme", search="for Python")
        self.assertEqual([item.id for item in listed.items], [created.id])
        read = configs.get(created.id)
        self.assertEqual((read.name, read.status, read.no_of_connections), ("Acme for Python", "ENABLED", 0))

        changed = configs.update(created.id, options={"type": "custom", "is_enabled_for_tool_router": False})
        self.assertTrue(changed.success and changed.message)
        self.assertFalse(configs.get(created.id).is_enabled_for_tool_router)
        self.assertTrue(configs.disable(created.id).success)
        self.assertEqual(configs.get(created.id).status, "DISABLED")
        self.assertTrue(configs.enable(created.id).success)
        self.assertTrue(configs.delete(created.id).success)
        self.fails(
            composio_client.NotFoundError, 404, "AuthConfigNotFound", lambda: configs.get(created.id)
        )

    def test_an_api_key(self):
        accounts, config = self.composio.connected_accounts, self.acme_config().id
        request = accounts.initiate(
            user_id="cem", auth_config_id=config, config=auth_scheme.api_key({"api_key": "key-of-cem"})
        )
        account = request.wait_for_connection(timeout=1)
        self.assertEqual((account.id, account.status), (request.id, "ACTIVE"))
        self.assertEqual(account.state.val.api_key, "REDACTED")
        with self.assertRaises(exceptions.ComposioMultipleConnectedAccountsError):
            accounts.initiate(user_id="cem", auth_config_id=config)

        session = self.composio.create(user_id="cem", toolkits=["acme"])

        def call():
            return session.proxy_execute(toolkit="acme", endpoint="/x", method="GET")

        self.assertEqual(call()["data"]["apiKey"], "key-of-cem")
        self.assertTrue(accounts.disable(request.id).success)
        self.assertEqual(accounts.get(request.id).status, "INACTIVE")
        self.fails(composio_client.BadRequestError, 400, "ToolRouterV2_NoActiveConnection", call)
        self.assertTrue(accounts.enable(request.id).success)
        self.assertEqual(call()["status"], 200)

        self.assertEqual(accounts.update(request.id, alias="main").status, "ACTIVE")
        self.assertEqual(accounts.get(request.id).alias, "main")
        revoked = accounts.revoke(request.id)
        self.assertEqual((revoked.revoked_tokens, revoked.connected_account.status), ([], "REVOKED"))
        self.fails(composio_client.BadRequestError, 400, "ToolRouterV2_NoActiveConnection", call)
        self.assertTrue(accounts.delete(request.id).success)
        self.fails(
            composio_client.NotFoundError, 404, "ConnectedAccountNotFound", lambda: accounts.get(request.id)
        )

    def test_lists(self):
        def ids(**query):
            return [item.id for item in self.composio.connected_accounts.list(**query).items]

        github, slack = self.gateway["githubAccount"], self.gateway["slackAccount"]
        self.assertEqual(ids(user_ids=["ann"]), [slack, github])
        self.assertEqual(ids(user_ids=["ann"], order_direction="asc"), [github, slack])
        self.assertEqual(ids(toolkit_slugs=["github", "acme"], user_ids=["ann"], statuses=["ACTIVE"]), [github])
        first = self.composio.connected_accounts.list(user_ids=["ann"], limit=1)
        self.assertEqual(ids(user_ids=["ann"], limit=1, cursor=first.next_cursor), [github])

    def test_a_shared_account(self):
        accounts, shared = self.composio.connected_accounts, self.gateway["sharedAccount"]
        pinned = {"connected_accounts": {"slackbot": [shared]}}

        def acl():
            experimental = accounts.get(shared).experimental
            self.assertEqual(experimental.account_type, "SHARED")
            acl = experimental.acl_config_for_shared
            return acl.allow_all_users, acl.allowed_user_ids, acl.not_allowed_user_ids

        def call(session):
            answer = session.proxy_execute(toolkit="slackbot", endpoint="/auth.test", method="POST", body={})
            self.assertEqual(answer["data"]["authorization"], "Bearer token-of-team")

        self.assertEqual(acl(), (False, [], []))
        call(self.composio.create(user_id="team", **pinned))
        denied = (composio_client.BadRequestError, 400, "ToolRouterV2_InvalidConnectedAccountIds")
        self.fails(*denied, lambda: self.composio.create(user_id="bea", **pinned))
        accounts.update_acl(shared, allowed_user_ids=["bea"])
        session = self.composio.create(user_id="bea", **pinned)
        call(session)
        accounts.update_acl(shared, allowed_user_ids=[])
        denied = (composio_client.PermissionDeniedError, 403, "SharedAccessDenied")
        self.fails(*denied, lambda: call(session))
        direct = {"endpoint": "/auth.test", "method": "GET", "connected_account_id": shared}
        self.fails(*denied, lambda: self.composio.tools.proxy(**direct))
        self.assertEqual(acl(), (False, [], []))

        listed = accounts.list(user_ids=["team"], account_type="SHARED").items
        self.assertEqual([item.id for item in listed], [shared])
        self.assertEqual(accounts.list(user_ids=["team"]).items, [])
        with self.assertRaises(exceptions.ComposioAclOnlyForSharedError):
            accounts.update_acl(self.gateway["githubAccount"], allow_all_users=True)

        config = self.acme_config().id
        sharing = {"account_type": "SHARED", "acl_config_for_shared": {"allow_all_users": True}}
        linked = accounts.link("sharer", config, experimental=sharing)
        self.assertTrue(accounts.get(linked.id).experimental.acl_config_for_shared.allow_all_users)

    def test_links(self):
        request = self.composio.connected_accounts.link("dee", self.acme_config().id)
        self.assertIn("/connect/lt_", request.redirect_url)
        self.assertEqual(self.composio.connected_accounts.get(request.id).status, "INITIALIZING")

    def test_toolkits(self):
        slugs = {toolkit.slug for toolkit in self.composio.toolkits.get()}
        self.assertTrue({"acme", "gmail"} <= slugs)
        self.assertEqual(self.composio.toolkits.get("github").name, "GitHub")


class Errors(SdkTest):
    def test_classes(self):
        def call(composio, **params):
            session = composio.create(user_id="ann", toolkits=params.pop("toolkits", None))
            session.proxy_execute(**{"toolkit": "github", "endpoint": "/x", "method": "GET", **params})

        def without_retries(composio):
            return self.sdk(composio, max_retries=0)

        full = self.gateway["apiKey"]
        for error, status, slug, attempt in [
            (composio_client.BadRequestError, 400, "OriginMismatch",
             lambda: call(self.composio, endpoint="https://elsewhere.example/")),
            (composio_client.BadRequestError, 400, "MissingAuthContext",
             lambda: self.composio.tools.proxy(endpoint="/x", method="GET")),
            (composio_client.AuthenticationError, 401, "InvalidApiKey", lambda: call(self.sdk("ak_wrong"))),
            (composio_client.PermissionDeniedError, 403, "InsufficientPermissions",
             lambda: call(self.sdk(self.gateway["limitedKey"]))),
            (composio_client.NotFoundError, 404, "ToolkitNotFound",
             lambda: self.composio.create(user_id="ann", toolkits=["nonsense"])),
            (composio_client.UnprocessableEntityError, 422, "ConnectedAccountNotUsable", self.call_disabled),
            (composio_client.InternalServerError, 502, "UpstreamUnreachable",
             lambda: call(without_retries(full), toolkit="down")),
        ]:
            with self.subTest(slug):
                self.fails(error, status, slug, attempt)

    def test_a_write_that_may_be_done_is_not_sent_again(self):
        session = self.composio.create(user_id="ann")
        call = {"toolkit": "open", "endpoint": "/breaks/python"}
        with self.assertRaises(composio_client.InternalServerError):
            session.proxy_execute(**call, method="POST")
        self.assertEqual(session.proxy_execute(**call, method="GET")["data"], {"writes": 1})

    def call_disabled(self):
        account = self.gateway["githubAccount"]
        self.composio.connected_accounts.disable(account)
        try:
            self.composio.tools.proxy(endpoint="/x", method="GET", connected_account_id=account)
        finally:
            self.composio.connected_accounts.enable(account)

    def test_too_many_requests(self):
        slow = self.sdk(self.gateway["apiKey"], self.gateway["slowBaseURL"], max_retries=0)
        slow.connected_accounts.get(self.gateway["githubAccount"])
        with self.assertRaises(composio_client.RateLimitError) as caught:
            slow.connected_accounts.get(self.gateway["githubAccount"])
        message = "Rate limit exceeded. Limit: 1 requests per 1 minutes"
        self.assertEqual(caught.exception.body, {"message": message})
        self.assertEqual(caught.exception.response.headers["x-ratelimit"], "1")


if __name__ == "__main__":
    unittest.main()
