"""The MCP SDK for Python, unchanged, against the MCP server of a session."""

import json
import pathlib
import subprocess
import unittest
import urllib.request

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

SCRIPT = pathlib.Path(__file__).parent.parent / "gateway.mjs"


class McpTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.child = subprocess.Popen(
            ["node", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = cls.child.stdout.readline()
        if not line:
            raise RuntimeError(f"the gateway exited with {cls.child.wait()} before it listened")
        cls.gateway = json.loads(line)
        request = urllib.request.Request(
            cls.gateway["baseURL"] + "/api/v3.1/tool_router/session/" + cls.gateway["session"],
            headers={"x-api-key": cls.gateway["apiKey"]},
        )
        with urllib.request.urlopen(request) as response:
            cls.url = json.load(response)["mcp"]["url"]

    @classmethod
    def tearDownClass(cls):
        cls.child.communicate()
        if cls.child.returncode != 0:
            raise RuntimeError(f"the gateway exited with {cls.child.returncode}")

    async def use(self, mode, work):
        headers = {"x-api-key": self.gateway["apiKey"]}
        async with httpx2.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=mode) as client:
                await work(client)

    async def test_both_forms_of_the_handshake(self):
        for mode in ("legacy", "auto"):
            with self.subTest(mode):
                await self.use(mode, self.all_tools)

    async def all_tools(self, client):
        listed = await client.list_tools()
        self.assertEqual(
            [tool.name for tool in listed.tools],
            ["list_toolkits", "describe_toolkit", "proxy_execute", "connect"],
        )
        called = await client.call_tool(
            "proxy_execute",
            {"toolkit": "github", "method": "GET", "endpoint": "/user", "query": {"a": [1, 2]}},
        )
        answer = json.loads(called.content[0].text)
        self.assertEqual((called.is_error, answer["status"]), (False, 200))
        self.assertEqual(answer["data"]["authorization"], "Bearer token-of-ann")
        self.assertEqual(answer["data"]["query"], [["a", "1"], ["a", "2"]])
        described = await client.call_tool("describe_toolkit", {"toolkit": "github"})
        self.assertEqual(json.loads(described.content[0].text)["account"]["status"], "ACTIVE")
        connected = await client.call_tool("connect", {"toolkit": "acme"})
        self.assertIn("/connect/lt_", json.loads(connected.content[0].text)["link"])
        refused = await client.call_tool(
            "proxy_execute", {"toolkit": "nowhere", "method": "GET", "endpoint": "/"}
        )
        self.assertTrue(refused.is_error)
        self.assertIn("nowhere", refused.content[0].text)


if __name__ == "__main__":
    unittest.main()
