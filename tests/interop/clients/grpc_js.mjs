// @grpc/grpc-js: what a stub sees that knows nothing of operations, and one that asks for them by hand.

import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { WHERE, check, equal } from "../cases.mjs";

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Text { string value = 1; }
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Operation { string name = 1; bool done = 3; Status error = 4; Any response = 5; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message Named { string name = 1; Duration timeout = 2; }
  message Nothing {}
`, { keepCase: true });
const type = (name) => root.lookupType(name);
const Text = type("Text"), Operation = type("Operation"), Named = type("Named"), Nothing = type("Nothing");

const client = new grpc.Client(WHERE.grpc, grpc.credentials.createInsecure(), {
  "grpc.max_receive_message_length": 8 << 20,
});
const encode = (type) => (message) => Buffer.from(type.encode(message).finish());
const decode = (type) => (bytes) => type.decode(bytes);

const call = (path, request, message, reply) => new Promise((resolve, reject) => {
  client.makeUnaryRequest(path, encode(request), decode(reply), message, (error, value) =>
    error ? reject(error) : resolve(value));
});
const work = (method, value, reply = Text) => call(`/test.Work/${method}`, Text, { value }, reply);
const ask = (method, name, reply = Operation) =>
  call(`/google.longrunning.Operations/${method}`, Named, { name, timeout: { seconds: 20 } }, reply);

const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("no error");
};
const late = async (value) => {
  const error = await failure(work("Do", value));
  equal(error.code, grpc.status.DEADLINE_EXCEEDED);
  return error.metadata.get("operation-name")[0];
};
const reply = (operation) => {
  equal(operation.response.type_url, "type.googleapis.com/google.protobuf.StringValue");
  return Text.decode(operation.response.value).value;
};

await check("fast", async () => equal((await work("Do", "fast")).value, "made fast"));
await check("late", async () => equal(reply(await ask("WaitOperation", await late("late"))), "made late"));
await check("failure", async () => {
  const { error } = await ask("WaitOperation", await late("fail"));
  equal(error.message, "There is none left.");
  return equal(error.code, grpc.status.FAILED_PRECONDITION);
});
await check("cancel", async () => {
  const name = await late("never");
  await ask("CancelOperation", name, Nothing);
  return equal((await ask("WaitOperation", name)).error.code, grpc.status.CANCELLED);
});
await check("unknown", async () =>
  equal((await failure(ask("GetOperation", `operations/${"0".repeat(32)}`))).code, grpc.status.NOT_FOUND));
await check("large", async () => equal(reply(await ask("WaitOperation", await late("large"))).length, 1_000_000));
await check("AIP-151: late", async () =>
  equal(reply(await ask("WaitOperation", (await work("Start", "late", Operation)).name)), "made late"));
await check("AIP-151: fast", async () => equal(reply(await work("Start", "fast", Operation)), "made fast"));
await check("not listed: late", async () => equal((await work("Other", "late")).value, "made late"));
client.close();
