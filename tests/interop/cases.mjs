// What the JavaScript clients share: one line of JSON for each case.

export const WHERE = JSON.parse(process.env.INTEROP);
export const FACADE = WHERE.facade;

/** Runs a check, which resolves to what it saw, or rejects. */
export async function check(name, run, fault = null) {
  let seen, passed = true;
  try {
    seen = await run();
  } catch (error) {
    [seen, passed] = [`${error.name}: ${error.message}`, false];
    console.error(error);
  }
  console.log(JSON.stringify({ case: name, passed, seen: String(seen).slice(0, 200), fault }));
}

export function equal(seen, expected) {
  if (seen !== expected) throw new Error(`${String(seen).slice(0, 200)} instead of ${expected}`);
  return seen;
}

export async function rejects(run, pattern) {
  let result;
  try {
    result = await run();
  } catch (error) {
    if (!pattern.test(error.message)) throw error;
    return `${error.name}: ${error.message}`;
  }
  throw new Error(`no error, but ${JSON.stringify(result).slice(0, 200)}`);
}
