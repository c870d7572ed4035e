import { LightError } from "./errors.js";
import type { Json } from "./hex.js";

/** What is used of the browser's WebSocket, and of the package ws. */
export interface Socket {
  onopen: ((e: never) => void) | null;
  onmessage: ((e: never) => void) | null;
  onclose: ((e: never) => void) | null;
  onerror: ((e: never) => void) | null;
  send(text: string): void;
  close(): void;
}

/** How a socket is made: the class WebSocket. */
export type SocketClass = new (url: string) => Socket;

/** A refusal by the node. */
export class Refusal extends LightError {
  constructor(message: string, readonly data: unknown) {
    super("transport", message);
  }
}

export interface WireOptions {
  readonly socket: SocketClass;
  /** Milliseconds until a question, or connecting, has failed. */
  readonly timeout: number;
  /** Characters of messages that may wait to be handled. */
  readonly maxWaiting: number;
}

type Answer = { resolve(v: unknown): void; reject(e: unknown): void };

/** JSON-RPC over one WebSocket. */
export class Wire {
  private readonly calls = new Map<number, Answer>();
  private readonly events: { event: Json; size: number }[] = [];
  private waiting = 0;
  private next = 1;
  private wake: (() => void) | undefined;
  /** Why the connection is over. */
  failure: LightError | undefined;

  private constructor(readonly endpoint: string, private readonly socket: Socket, private readonly o: WireOptions) {}

  static open(endpoint: string, o: WireOptions): Promise<Wire> {
    return new Promise((resolve, reject) => {
      let wire: Wire;
      try {
        wire = new Wire(endpoint, new o.socket(endpoint), o);
      } catch (cause) {
        reject(new LightError("transport", `${endpoint}: ${String(cause)}`, { cause }));
        return;
      }
      const timer = setTimeout(() => wire.fail("no connection in time"), o.timeout);
      const failed = (): void => {
        clearTimeout(timer);
        reject(wire.failure);
      };
      wire.wake = failed;
      wire.socket.onopen = () => {
        clearTimeout(timer);
        wire.wake = undefined;
        resolve(wire);
      };
      wire.socket.onerror = () => wire.fail("connection failed");
      wire.socket.onclose = (e: { code?: number; reason?: string }) => wire.fail(`connection closed (${e.code ?? 0} ${e.reason ?? ""})`);
      wire.socket.onmessage = (e: { data: unknown }) => wire.receive(e.data);
    });
  }

  close(): void {
    this.fail("closed");
  }

  private fail(why: string): void {
    if (this.failure) return;
    this.failure = new LightError("transport", why);
    this.failure.endpoint = this.endpoint;
    this.socket.close();
    for (const call of this.calls.values()) call.reject(this.failure);
    this.calls.clear();
    this.wake?.();
  }

  private receive(message: unknown): void {
    if (this.failure) return;
    if (typeof message !== "string" || message.length > this.o.maxWaiting) {
      this.fail("a message is no text, or too long");
      return;
    }
    let m: { id?: number; result?: unknown; error?: { code?: number; message?: string; data?: unknown }; params?: Json } | null;
    try {
      m = JSON.parse(message);
    } catch {
      m = null;
    }
    if (typeof m !== "object" || m === null) {
      this.fail("a message is no JSON object");
      return;
    }
    if (m.id === undefined || m.id === null) {
      this.waiting += message.length;
      if (this.waiting > this.o.maxWaiting) {
        this.fail("events come faster than they are handled"); // the client resumes
        return;
      }
      this.events.push({ event: m.params ?? {}, size: message.length });
      this.wake?.();
      return;
    }
    const call = this.calls.get(m.id);
    this.calls.delete(m.id);
    if (m.error) call?.reject(new Refusal(`${m.error.message ?? ""} (${m.error.code ?? 0})`, m.error.data));
    else call?.resolve(m.result);
  }

  /** Asks the node. The refusal is a Refusal. */
  call(method: string, params: readonly unknown[]): Promise<unknown> {
    if (this.failure) return Promise.reject(this.failure);
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.calls.delete(id);
        reject(new LightError("transport", `${method}: no answer in time`));
      }, this.o.timeout);
      this.calls.set(id, {
        resolve: (v) => { clearTimeout(timer); resolve(v); },
        reject: (e) => { clearTimeout(timer); reject(e); },
      });
      try {
        this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
      } catch (cause) {
        this.fail(String(cause));
      }
    });
  }

  /** The next event that is there; undefined: none now. */
  take(): Json | undefined {
    const e = this.events.shift();
    this.waiting -= e?.size ?? 0;
    return e?.event;
  }

  /** How many events are there. */
  get ready(): number {
    return this.events.length;
  }

  /** Calls f when there is an event or the connection is over. */
  onReady(f: () => void): void {
    this.wake = f;
    if (this.events.length > 0 || this.failure) f();
  }
}
