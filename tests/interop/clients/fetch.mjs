// Node's fetch: polling by hand, as a page would.

import { FACADE, check, equal } from "../cases.mjs";

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function call(path) {
  let response = await fetch(FACADE + path, { method: "POST", body: "{}" });
  while (response.status === 202) {
    const { retryAfterMs } = await response.json();
    await sleep(retryAfterMs);
    response = await fetch(new URL(response.headers.get("location"), response.url));
  }
  return response;
}

await check("fast", async () => equal((await (await call("/fast")).json()).made, "fast"));
await check("late", async () => equal((await (await call("/late")).json()).made, "late"));
await check("failure", async () => {
  const response = await call("/fail");
  equal((await response.json()).error.code, "OutOfStock");
  return equal(response.status, 409);
});
await check("cancel", async () => {
  const first = await fetch(`${FACADE}/never`, { method: "POST", body: "{}" });
  const { statusUrl, resultUrl } = await first.json();
  equal((await fetch(new URL(statusUrl, FACADE), { method: "DELETE" })).status, 202);
  let response;
  do {
    await sleep(50);
    response = await fetch(new URL(resultUrl, FACADE));
  } while (response.status === 202);
  return equal(response.status, 410);
});
await check("unknown", async () =>
  equal((await fetch(`${FACADE}/operations/${"0".repeat(32)}`)).status, 404));
await check("large", async () => equal((await (await call("/large")).json()).text.length, 1_000_000));
