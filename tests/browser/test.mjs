// The status page in a real browser. Called by scripts/browser, which says where everything is.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { MODULES, SERVER, CHROMIUM, SHOTS } = process.env;
const require = createRequire(`${MODULES}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(SHOTS, { recursive: true });

const server = spawn(SERVER, { stdio: ["ignore", "pipe", "inherit"] });
const lines = createInterface({ input: server.stdout });
const port = await new Promise((resolve, reject) => {
  lines.once("line", resolve);
  server.once("exit", (code) => reject(new Error(`the server ended: ${code}`)));
});
const base = `http://127.0.0.1:${port}`;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });

let names = 0;

// An operation, and how to tell it what to do.
async function operation() {
  const name = `n${(names += 1)}`;
  const answer = await fetch(`${base}/work/${name}?q=<i>`, { method: "POST" });
  assert.equal(answer.status, 202);
  const { statusUrl, resultUrl } = await answer.json();
  const tell = (told) =>
    fetch(`${base}/tell/${name}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(told),
    });
  return { url: base + statusUrl, result: resultUrl, tell };
}

// A page of its own, on which nothing may go wrong and which is never loaded again.
async function visit(url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.wrong = [];
  page.loads = 0;
  page.on("console", (message) => message.type() === "error" && page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("dialog", (dialog) => {
    page.wrong.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("load", () => (page.loads += 1));
  await page.goto(url);
  return page;
}

const word = (page, text) => page.locator(".word", { hasText: new RegExp(`^${text}$`) }).waitFor();
const shot = (page, name) => page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });

async function accessible(page) {
  // Through the debugger, so that the page's own policy stays as it is.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
}

async function untouched(page) {
  assert.deepEqual(page.wrong, []);
  assert.equal(page.loads, 1, "the page was loaded again");
  await page.context().close();
}

const tests = {
  async "progress moves, and the end appears, without a reload"() {
    const { url, result, tell } = await operation();
    const page = await visit(url);
    await word(page, "Running");
    assert.equal(await page.locator("progress").getAttribute("value"), null);
    for (const percent of [10, 42]) {
      await tell({ progress: percent / 100, message: `at ${percent}` });
      await page.locator(".message", { hasText: `at ${percent}` }).waitFor();
      await page.locator(`progress[value="${percent}"]`).waitFor();
      await page.locator(".percent", { hasText: `${percent}` }).waitFor();
      assert.equal(await page.locator("progress").evaluate(({ position }) => position), percent / 100);
    }
    await accessible(page);
    await shot(page, "running");
    await tell({ end: 200 });
    await word(page, "Succeeded");
    await page.locator(`a[href="${result}"]`).waitFor();
    assert.equal(await page.locator("button").count(), 0);
    assert.match(await page.title(), /^Succeeded: POST \/work\//);
    await accessible(page);
    await shot(page, "succeeded");
    await untouched(page);
  },

  async "a failure is shown"() {
    const { url, tell } = await operation();
    const page = await visit(url);
    await tell({ end: 402 });
    await word(page, "Failed");
    await page.getByText("The service answered 402 Payment Required.").waitFor();
    await accessible(page);
    await shot(page, "failed");
    await untouched(page);
  },

  async "cancel cancels"() {
    const { url } = await operation();
    const page = await visit(url);
    await page.getByRole("button", { name: "Cancel" }).focus();
    await page.keyboard.press("Enter");
    await word(page, "Canceled");
    // Whoever was at the button is not left nowhere.
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1");
    await accessible(page);
    await shot(page, "canceled");
    await untouched(page);
  },

  async "what is said stays text, at the beginning and later"() {
    const hostile = [
      "<script>alert(1)</script><img src=x onerror=alert(1)>",
      `"'\`></bdi></p></div><h2>not a heading</h2>{{script}}`,
      "\u202Eright to left, and \u2066not closed",
      "</script><script>alert(1)</script><!--",
    ];
    const { url, tell } = await operation();
    await tell({ message: hostile[0] });
    await page_says(url, hostile[0]);
    const page = await visit(url);
    for (const message of hostile) {
      await tell({ message });
      const shown = page.locator(".message bdi");
      await page.waitForFunction(
        (text) => document.querySelector(".message bdi")?.textContent === text,
        message,
      );
      assert.equal(await shown.evaluate((element) => element.childElementCount), 0);
      await shot(page, `hostile-${hostile.indexOf(message)}`);
    }
    assert.equal(await page.locator("h2, img").count(), 0);
    assert.equal(await page.locator("script").count(), 1);
    await untouched(page);
  },

  async "it can be read in the dark"() {
    const { url, tell } = await operation();
    await tell({ progress: 0.5, message: "half of it" });
    const page = await visit(url, { colorScheme: "dark" });
    await page.locator("progress").waitFor();
    await accessible(page);
    await shot(page, "dark");
    await tell({ end: 500 });
    await word(page, "Failed");
    await accessible(page);
    await untouched(page);
  },

  async "it can be used without scripts"() {
    const { url, result, tell } = await operation();
    const page = await visit(url, { javaScriptEnabled: false });
    await word(page, "Running");
    assert.equal(await page.getByRole("button").count(), 0, "a button that does nothing");
    await shot(page, "without-scripts");
    await tell({ end: 201 });
    for (let looks = 0; looks < 50 && !(await page.getByText("Succeeded").count()); looks += 1) {
      await page.getByRole("link", { name: "Load this page again" }).click();
    }
    await page.locator(`a[href="${result}"]`).click();
    await page.getByText("what was made").waitFor();
    await page.context().close();
  },

  async "it can be read on a telephone"() {
    const { url, tell } = await operation();
    await tell({ progress: 0.3, message: "x".repeat(500) });
    const page = await visit(url, { viewport: { width: 320, height: 600 } });
    await page.locator(".message").waitFor();
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wider <= 0, `${wider} pixels are off the screen`);
    await shot(page, "telephone");
    await untouched(page);
  },

  async "scripts of another origin find the operation, and can watch it"() {
    const page = await visit(`http://localhost:${port}/`);
    const name = `n${(names += 1)}`;
    const seen = await page.evaluate(async ([url, base]) => {
      const answer = await fetch(url, { method: "POST", headers: { prefer: "respond-async" } });
      const { statusUrl } = await answer.json();
      const status = await fetch(base + statusUrl);
      const event = await new Promise((resolve, reject) => {
        const events = new EventSource(base + statusUrl);
        events.addEventListener("status", (event) => resolve([event.lastEventId, JSON.parse(event.data).status]));
        events.addEventListener("error", reject);
      });
      const shown = (name) => answer.headers.get(name);
      return {
        location: shown("location"), link: shown("link"), after: shown("retry-after"),
        what: shown("respond-async"), tag: status.headers.get("etag"), event,
      };
    }, [`${base}/work/${name}`, base]);
    assert.match(seen.location, /^\/operations\/.*\/result$/);
    assert.match(seen.link, /rel="monitor"/);
    assert.deepEqual([seen.after, seen.what, seen.tag], ["2", "pending", `W/"0"`]);
    assert.deepEqual(seen.event, ["0", "Running"]);
    await page.context().close();
  },
};

// What the server itself has put into the page.
async function page_says(url, message) {
  const page = await visit(url, { javaScriptEnabled: false });
  for (let looks = 0; looks < 50 && !(await page.locator(".message").count()); looks += 1) {
    await page.getByRole("link", { name: "Load this page again" }).click();
  }
  assert.equal(await page.locator(".message bdi").textContent(), message);
  await page.context().close();
}

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}
await browser.close();
server.removeAllListeners("exit");
server.kill();
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed; pictures in ${SHOTS}`);
process.exit(failed ? 1 : 0);
