// @medplum/core: a FHIR client that asks with `Prefer: respond-async`.

import { MedplumClient } from "@medplum/core";
import { WHERE, check, equal, rejects } from "../cases.mjs";

const [base, which = "facade"] = process.argv.slice(2);
const FACADE = WHERE[which];
const client = new MedplumClient({
  baseUrl: `${FACADE}/`, fhirUrlPath: base, fetch, cacheTime: 0, storage: undefined,
});
const options = { pollStatusOnAccepted: true, pollStatusPeriod: 200 };
const url = (path) => `${FACADE}/${base}/${path}`;
const start = (path) => client.startAsyncRequest(url(path), { ...options });
const parameter = (resource, name) => resource.parameter.find((one) => one.name === name).valueString;

await check("fast, which is deferred too", async () => equal(parameter(await start("fast"), "made"), "fast"));
await check("late", async () => equal(parameter(await start("late"), "made"), "late"));
await check("failure", async () => rejects(() => start("fail"), /There is none left/));
await check("cancel", async () => {
  const response = await fetch(url("never"), { method: "POST", headers: { prefer: "respond-async" } });
  equal(response.status, 202);
  const where = response.headers.get("content-location");
  equal((await fetch(where, { method: "DELETE" })).status, 202);
  const gone = await fetch(where);
  equal((await gone.json()).resourceType, "OperationOutcome");
  return equal(gone.status, 404);
});
await check("unknown", async () =>
  rejects(() => client.get(url(`operations/${"0".repeat(32)}`)), /./));
await check("large", async () => equal(parameter(await start("large"), "text").length, 1_000_000));
await check("unsolicited", async () => {
  const response = await fetch(url("late"), { method: "POST", body: "{}" });
  return equal(response.status, 200);
});
