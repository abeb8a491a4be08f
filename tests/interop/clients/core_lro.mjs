// @azure/core-lro: the poller of Azure's SDKs for JavaScript.

import { createHttpPoller } from "@azure/core-lro";
import { createDefaultHttpClient, createEmptyPipeline, createPipelineRequest, redirectPolicy, defaultRetryPolicy }
  from "@azure/core-rest-pipeline";
import { FACADE, check, equal, rejects } from "../cases.mjs";

const prefix = process.argv[2] ?? "";
const client = createDefaultHttpClient();
const pipeline = createEmptyPipeline();
pipeline.addPolicy(redirectPolicy());
pipeline.addPolicy(defaultRetryPolicy());

async function send(method, url) {
  const request = createPipelineRequest({ url, method, allowInsecureConnection: true });
  if (method !== "GET") {
    request.body = "{}";
    request.headers.set("content-type", "application/json");
  }
  const response = await pipeline.sendRequest(client, request);
  const headers = {};
  for (const [name, value] of response.headers) headers[name.toLowerCase()] = value;
  const body = response.bodyAsText ? JSON.parse(response.bodyAsText) : undefined;
  const rawResponse = { statusCode: response.status, headers, body, request: { method, url } };
  return { flatResponse: { ...body, statusCode: response.status }, rawResponse };
}

function start(path) {
  let first;
  const operation = {
    requestMethod: "POST",
    requestPath: FACADE + path,
    sendInitialRequest: async () => (first = await send("POST", FACADE + path)),
    sendPollRequest: async (url) => send("GET", new URL(url, FACADE).href),
  };
  const poller = createHttpPoller(operation, { intervalInMs: 200 });
  return { poller, first: async () => (await poller.submitted(), first) };
}

const made = async (path) => {
  const { poller } = start(path);
  return poller.pollUntilDone();
};

await check("fast", async () => equal((await made(`${prefix}/fast`)).made, "fast"));
await check("late", async () => equal((await made(`${prefix}/late`)).made, "late"));
await check("failure", async () => rejects(() => made(`${prefix}/fail`), /OutOfStock.*There is none left/));
await check("cancel", async () => {
  const { poller, first } = start(`${prefix}/never`);
  const { rawResponse } = await first();
  const where = rawResponse.headers["operation-location"] ?? rawResponse.headers["azure-asyncoperation"];
  await send("DELETE", where);
  return rejects(() => poller.pollUntilDone(), /cancel/i);
});
await check("unknown", async () => {
  const response = await send("GET", `${FACADE}${prefix}/operations/${"0".repeat(32)}`);
  return equal(response.rawResponse.statusCode, 404);
});
await check("large", async () => equal((await made(`${prefix}/large`)).text.length, 1_000_000));
