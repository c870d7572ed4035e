// Shared by the client scripts: collecting what a subscription delivers.

/** Starts a watch; `start` gets (onItem, onError) and returns how to stop it. */
export function gather(start) {
  const watch = { seen: [], errors: [], stop: () => {} };
  watch.stop = start((item) => watch.seen.push(item), (error) => watch.errors.push(String(error)));
  return watch;
}

/** Waits until `holds` resolves to something true, which it returns, and says what never happened. */
export async function eventually(what, holds, timeoutMillis = 15000) {
  const deadline = Date.now() + timeoutMillis;
  while (Date.now() < deadline) {
    const held = await holds();
    if (held) return held;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`did not happen in ${timeoutMillis} ms: ${what}`);
}
