// The browser tests: Swagger UI, GraphiQL, and gRPC-Web from another origin, in headless Chromium against a real control plane.
//
//   node run.mjs CONTROL_PLANE DESCRIPTORS CHROMIUM SCREENSHOTS
//
// CONTROL_PLANE is the program, DESCRIPTORS the encoded descriptors of its contract, SCREENSHOTS a directory.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const [controlPlane, descriptors, executablePath, screenshots] = process.argv.slice(2);
const password = "a password for browsers";
const timeout = 60_000;

// A server of another origin, with the page and what it needs.
async function servePage() {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL("page.mjs", import.meta.url))],
    bundle: true,
    format: "iife",
    write: false,
    logLevel: "error",
  });
  const files = {
    "/": ["text/html", '<!doctype html><link rel="icon" href="data:,"><title>gRPC-Web</title><script src="page.js"></script>'],
    "/page.js": ["text/javascript", bundle.outputFiles[0].contents],
    "/descriptors.bin": ["application/octet-stream", await readFile(descriptors)],
  };
  const server = createServer((request, response) => {
    const [type, content] = files[request.url] ?? [];
    response.writeHead(type ? 200 : 404, type ? { "content-type": type } : {}).end(content);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return server;
}

// A control plane of its own that lets pages of one origin call. Resolves when it is ready.
function startControlPlane(directory, corsOrigins) {
  const settings = {
    UTOPIA_DATA_DIR: directory,
    UTOPIA_HTTP_ADDR: "127.0.0.1:0",
    UTOPIA_GRPC_ADDR: "127.0.0.1:0",
    UTOPIA_ADMIN_PASSWORD: password,
    UTOPIA_CORS_ORIGINS: corsOrigins,
    UTOPIA_LIMITS: "off",
    UTOPIA_LOG_FORMAT: "json",
  };
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("UTOPIA_"));
  const child = spawn(controlPlane, { env: { ...Object.fromEntries(environment), ...settings }, stdio: ["ignore", "ignore", "pipe"], timeout: 5 * timeout });
  const log = [];
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    // Once it is ready, its end rejects nothing any more.
    child.on("exit", (code) => reject(new Error(`the control plane ended with ${code}:\n${log.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      const entry = line.startsWith("{") ? JSON.parse(line) : {};
      if (entry.http) resolve({ child, url: `http://${entry.http}` });
    });
  });
}

// A page whose every complaint is kept: errors on the console, requests that fail, requests to other hosts.
async function openPage(browser, hosts) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 960 } });
  page.setDefaultTimeout(timeout);
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && !hosts.includes(url.origin)) complaints.push(`another host: ${request.url()}`);
  });
  return { page, complaints };
}

async function swaggerUi(browser, url) {
  const { page, complaints } = await openPage(browser, [url]);
  const shoot = (name) => page.screenshot({ path: join(screenshots, `${name}.png`) });
  await page.goto(`${url}/api/docs`);
  assert.equal(page.url(), `${url}/api/docs/`);
  await page.waitForSelector("#operations-tag-HostService");
  assert.match(await page.textContent(".info .title"), /Utopia API/);
  await shoot("swagger-ui");

  await page.click("#operations-tag-IamService");
  const login = page.locator("#operations-IamService-IamService_Login");
  await login.locator(".opblock-summary").click();
  await login.locator("textarea").fill(JSON.stringify({ username: "admin", password }));
  await shoot("swagger-ui-operation");
  await login.locator("button.execute").click();
  const answer = login.locator(".live-responses-table .response");
  await answer.locator(".response-col_status").waitFor();
  assert.match(await answer.locator(".response-col_status").textContent(), /^200/);
  const { token, user } = JSON.parse(await answer.locator(".response-col_description code").first().textContent());
  assert.equal(user.username, "admin");
  await answer.scrollIntoViewIfNeeded();
  await shoot("swagger-ui-answer");

  // The token opens what needs one.
  await page.locator(".auth-wrapper button.authorize").first().click();
  const dialog = page.locator(".dialog-ux .modal-ux");
  await dialog.locator("input").first().fill(token);
  await shoot("swagger-ui-authorize");
  await dialog.locator("button.authorize").first().click();
  await dialog.locator("button.btn-done").first().click();
  await page.click("#operations-tag-ClaimService");
  const claims = page.locator("#operations-ClaimService-ClaimService_ListClaims");
  await claims.locator(".opblock-summary").click();
  await claims.locator("button.execute").click();
  const listed = claims.locator(".live-responses-table .response .response-col_status");
  await listed.waitFor();
  assert.match(await listed.textContent(), /^200/);
  await claims.scrollIntoViewIfNeeded();
  await shoot("swagger-ui-list");
  assert.deepEqual(complaints, []);
  await page.close();
}

// A document is answered, and a subscription goes on answering over its WebSocket.
async function graphiql(browser, url) {
  const login = await fetch(`${url}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password }),
  });
  const { token } = await login.json();
  const { page, complaints } = await openPage(browser, [url, url.replace("http", "ws")]);
  await page.goto(`${url}/api/graphql`);
  const write = async (editor, text) => {
    const found = page.locator(`[aria-label="${editor}"] .CodeMirror:visible`).first();
    await found.waitFor();
    await found.evaluate((element, text) => element.CodeMirror.setValue(text), text);
  };
  const answers = page.locator(".result-window");
  await write("Headers", JSON.stringify({ Authorization: `Bearer ${token}` }));
  // The page reads a document a moment after it was written.
  const writeDocument = async (text) => {
    await write("Query Editor", text);
    const isRead = (text) => [...document.querySelectorAll(".CodeMirror")].some(({ CodeMirror }) => CodeMirror.documentAST?.loc.source.body === text);
    await page.waitForFunction(isRead, text);
  };
  await writeDocument("{ claimListClaims { total claims { id } } }");
  await page.click(".graphiql-execute-button");
  await answers.getByText('"claims"').first().waitFor();
  await page.screenshot({ path: join(screenshots, "graphiql.png") });

  // The schema is shown to whom the token stands for.
  await page.click('button[aria-label="Re-fetch GraphQL schema"]');
  await page.click('button[aria-label="Show Documentation Explorer"]');
  await page.locator(".graphiql-doc-explorer").getByText("Subscription", { exact: true }).first().waitFor();
  await page.screenshot({ path: join(screenshots, "graphiql-schema.png") });

  await writeDocument("subscription { eventWatchEvents { type } }");
  await page.click(".graphiql-execute-button");
  await answers.getByText('"bookmark"').first().waitFor();
  await page.screenshot({ path: join(screenshots, "graphiql-subscription.png") });
  assert.deepEqual(complaints, []);
  await page.close();
}

async function grpcWeb(browser, url, origin) {
  const { page, complaints } = await openPage(browser, [url, origin]);
  await page.goto(`${origin}/`);
  const seen = await page.evaluate((given) => globalThis.use(...given), [url, "admin", password]);
  assert.equal(seen.user, "admin");
  assert.deepEqual(seen.hosts, ["gpu-01", "gpu-02"]);
  assert.equal(seen.streamed, 1);
  assert.ok(seen.requestId, "the request's id can be read across origins");
  assert.equal(seen.code, "NotFound");
  assert.match(seen.message, /does not exist|not found|no such/i);
  assert.ok(seen.details, "the details of an error can be read across origins");
  await page.screenshot({ path: join(screenshots, "grpc-web.png") });
  // Leaving a stream is no complaint.
  assert.deepEqual(complaints.filter((complaint) => !/WatchClaim net::ERR_ABORTED/.test(complaint)), []);
  await page.close();
}

// A page of an origin that was not named is kept out by the browser.
async function strangers(browser, url) {
  const stranger = await servePage();
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${stranger.address().port}/`);
  const outcome = page.evaluate((given) => globalThis.use(...given), [url, "admin", password]);
  await assert.rejects(outcome, /Failed to fetch/);
  await page.close();
  stranger.close();
}

await mkdir(screenshots, { recursive: true });
const directory = await mkdtemp(join(tmpdir(), "utopia-browser-"));
const pageServer = await servePage();
const origin = `http://127.0.0.1:${pageServer.address().port}`;
let server, browser;
try {
  server = await startControlPlane(directory, origin);
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  browser = await chromium.launch({ executablePath, args, timeout });
  for (const test of [swaggerUi, graphiql, grpcWeb, strangers]) {
    await test(browser, server.url, origin);
    console.log(`ok ${test.name}`);
  }
} finally {
  await browser?.close();
  if (server) {
    const ended = new Promise((done) => server.child.on("exit", done));
    server.child.kill("SIGTERM");
    await ended;
  }
  pageServer.close();
  await rm(directory, { recursive: true, force: true });
}
