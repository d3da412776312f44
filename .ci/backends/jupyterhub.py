"""Configuration of the JupyterHub that tests use; it runs in the directory of its state, with its port in the environment.

A user's name says how a server of theirs behaves; of two at once too, as in `slow-broken-1`:
  slow…    takes five seconds to start, and as long to stop: longer than the hub waits before it answers 202
  quick…   starts at once, and is no Jupyter server: all it does is answer
  …broken… does not start
Any other is a Jupyter server, which starts in a second or more.
"""

import asyncio
import os
import sys

from jupyterhub.spawner import SimpleLocalProcessSpawner

c = get_config()  # noqa: F821
port = int(os.environ["port"])

QUICK = """
import http.server, os, urllib.parse

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

url = urllib.parse.urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((url.hostname, url.port), Answer).serve_forever()
"""


class Spawner(SimpleLocalProcessSpawner):
    async def start(self):
        if self.user.name.startswith("slow"):
            await asyncio.sleep(5)
        if "broken" in self.user.name:
            raise RuntimeError("there is no room for this server")
        if self.user.name.startswith("quick"):
            self.cmd, self.args = [sys.executable, "-c", QUICK], []
        return await super().start()

    async def stop(self, now=False):
        if self.user.name.startswith("slow"):
            await asyncio.sleep(5)
        return await super().stop(now)


c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 1}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 2}"
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 3, "slow_stop_timeout": 3}
# More than a page of users needs few users.
c.JupyterHub.api_page_default_limit = 5
c.JupyterHub.api_page_max_limit = 5

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.spawner_class = Spawner
c.SimpleLocalProcessSpawner.home_dir_template = os.path.join(os.getcwd(), "home")
c.Spawner.http_timeout = 90
c.Spawner.start_timeout = 90
if os.getuid() == 0:
    c.Spawner.args = ["--allow-root"]

with open("token") as token:
    c.JupyterHub.services = [{"name": "utopia", "api_token": token.read().strip()}]
c.JupyterHub.load_roles = [
    {
        "name": "utopia",
        "services": ["utopia"],
        "scopes": ["admin:users", "admin:servers", "access:servers", "list:users", "read:hub", "tokens", "admin:groups"],
    }
]
