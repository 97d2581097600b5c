"""SDKs of PyPI, unmodified, through the relay of a gateway on a port."""

import json
import pathlib
import subprocess
import time
import unittest

import httpx
import openai
import slack_sdk
import slack_sdk.errors

SCRIPT = pathlib.Path(__file__).parent / "relay.mjs"
QUESTION = {"model": "gpt-5", "messages": [{"role": "user", "content": "What do gateways keep?"}]}


class RelayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.child = subprocess.Popen(
            ["node", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = cls.child.stdout.readline()
        if not line:
            raise RuntimeError(f"the gateway exited with {cls.child.wait()} before it listened")
        cls.gateway = json.loads(line)

    @classmethod
    def tearDownClass(cls):
        cls.child.communicate()
        if cls.child.returncode != 0:
            raise RuntimeError(f"the gateway exited with {cls.child.returncode}")

    def setUp(self):
        self.started = time.monotonic()

    def at_once(self):
        self.assertLess(time.monotonic() - self.started, 2, "the SDK retried")


class OpenAI(RelayTest):
    def client(self, relay="relay", key=None):
        base_url = f"{self.gateway[relay]}/openai/v1"
        client = openai.OpenAI(base_url=base_url, api_key=key or self.gateway["key"])
        self.addCleanup(client.close)
        return client

    def test_chat(self):
        completion = self.client().chat.completions.create(**QUESTION)
        self.assertEqual(completion.choices[0].message.content, "Gateways keep keys.")

    def test_stream_of_events(self):
        stream = self.client().chat.completions.create(**QUESTION, stream=True)
        words = [chunk.choices[0].delta.content for chunk in stream]
        self.assertEqual(words, [None, "Gateways", " keep", " keys", ".", None])

    def test_pages(self):
        names = [file.filename for file in self.client().files.list(limit=2)]
        self.assertEqual(names, ["a.jsonl", "b.jsonl", "c.jsonl"])

    def test_upload(self):
        content = '{"custom_id":"ü"}\n'.encode() * 10_000
        file = self.client().files.create(file=("batch.jsonl", content), purpose="batch")
        self.assertEqual((file.filename, file.bytes), ("batch.jsonl", len(content)))

    def test_error_of_the_api(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client().models.retrieve("gpt-0")
        self.assertIn("The model 'gpt-0' does not exist", str(caught.exception))

    def test_refusals_of_the_gateway(self):
        for relay, key, error, slug in [
            ("without_account", None, openai.BadRequestError, "ToolRouterV2_NoActiveConnection"),
            ("restricted", None, openai.PermissionDeniedError, "ToolRouterV2_ToolkitNotAllowed"),
            ("relay", "ak_unknown", openai.AuthenticationError, None),
        ]:
            with self.subTest(relay=relay), self.assertRaises(error) as caught:
                self.client(relay, key).chat.completions.create(**QUESTION)
            told = caught.exception.response.headers["x-proxy-execute-error"]
            self.assertEqual(told, slug or caught.exception.body["slug"])
        self.at_once()


class Slack(RelayTest):
    def client(self, relay="relay"):
        base_url = f"{self.gateway[relay]}/slack/"
        return slack_sdk.WebClient(base_url=base_url, token=self.gateway["key"])

    def test_message(self):
        posted = self.client().chat_postMessage(channel="C1", text="Größe & more")
        self.assertEqual(posted["message"]["text"], "Größe & more")

    def test_pages(self):
        names = []
        for page in self.client().conversations_list(limit=2):
            names += [channel["name"] for channel in page["channels"]]
        self.assertEqual(names, ["general", "random", "support"])

    def test_error_of_the_api(self):
        with self.assertRaises(slack_sdk.errors.SlackApiError) as caught:
            self.client().chat_postMessage(channel="C404", text="x")
        self.assertEqual(caught.exception.response["error"], "channel_not_found")

    def test_refusals_of_the_gateway(self):
        for relay, status in [("without_account", 400), ("restricted", 403)]:
            with self.subTest(relay=relay), self.assertRaises(slack_sdk.errors.SlackApiError) as caught:
                self.client(relay).auth_test()
            self.assertEqual(caught.exception.response.status_code, status)
        self.at_once()


class GitHub(RelayTest):
    def client(self, relay="relay"):
        headers = {"x-api-key": self.gateway["key"], "accept": "application/vnd.github+json"}
        client = httpx.Client(base_url=f"{self.gateway[relay]}/github", headers=headers)
        self.addCleanup(client.close)
        return client

    def test_issue(self):
        response = self.client().post("/repos/ann/notes/issues", json={"title": "Größe"})
        self.assertEqual((response.status_code, response.json()["title"]), (201, "Größe"))

    def test_pages(self):
        client, numbers = self.client(), []
        url = "/repos/ann/notes/issues?per_page=2"
        while url:
            response = client.get(url)
            numbers += [issue["number"] for issue in response.json()]
            # The link is absolute, and may be appended to the relay's URL.
            link = response.links.get("next")
            url = link and f"{client.base_url}{link['url']}"
        self.assertEqual(numbers, [1, 2, 3, 4, 5])

    def test_error_of_the_api(self):
        response = self.client().get("/repos/ann/notes/issues/404")
        self.assertEqual((response.status_code, response.json()["message"]), (404, "Not Found"))
        self.assertNotIn("x-proxy-execute-error", response.headers)

    def test_refusals_of_the_gateway(self):
        for relay, status, slug in [
            ("without_account", 400, "ToolRouterV2_NoActiveConnection"),
            ("restricted", 403, "ToolRouterV2_ToolkitNotAllowed"),
        ]:
            response = self.client(relay).get("/repos/ann/notes/issues/1")
            told = (response.status_code, response.headers["x-proxy-execute-error"], response.json()["error"]["slug"])
            self.assertEqual(told, (status, slug, slug))


if __name__ == "__main__":
    unittest.main()
