"use strict";
// A small server with Evolution's rules on the real socket.io. It is driven from its
// stdin and answers on its stdout, one JSON object a line; the end of stdin ends it.
// The only argument is a JSON object of options, see DEFAULTS.

const http = require("node:http");
const readline = require("node:readline");
const { Server } = require("socket.io");
const { makeCommands } = require("./commands");
const { now, revive } = require("./payloads");

const DEFAULTS = {
  port: 0,
  host: "127.0.0.1",
  apiKeys: null, // null lets everybody in, as the real server does on its own host
  globalEvents: false,
  websocketEnabled: true,
  lookupDelay: 0, // milliseconds between the copy on "/" and the one on "/<instance>"
  engine: {}, // pingInterval, pingTimeout, connectTimeout, maxHttpBufferSize, perMessageDeflate
};

const MAX_RECEIVED = 100000;

function makeState(options) {
  return {
    options,
    io: null,
    rawSockets: new Set(),
    settings: new Map(), // instance -> {enabled, events}
    bursts: new Map(),
    refusal: null,
    ack: { mode: "none", delay: 0 },
    greeting: null, // sent to each client as soon as it has joined the instance's namespace
    received: [],
    counts: { connections: 0, refused: 0, received: 0, emitted: 0, keyIn: null, firstAt: null, lastAt: null },
  };
}

/** The reason to refuse a handshake, or null; the query wins over the header. */
function refusalOf(state, request) {
  if (state.refusal) return state.refusal;
  const query = new URL(request.url, "http://local").searchParams.get("apikey");
  const key = query || request.headers.apikey;
  state.counts.keyIn = query ? "query" : key ? "header" : null;
  if (!state.options.apiKeys) return null;
  if (!key) return "apiKey is required";
  return state.options.apiKeys.includes(key) ? null : "Invalid global token";
}

function allowRequest(state) {
  return (request, callback) => {
    const reason = refusalOf(state, request);
    if (reason) state.counts.refused += 1;
    callback(reason, !reason);
  };
}

/** Remembers what a client emitted, and acknowledges it if the tests asked for that. */
function listen(state, socket) {
  const record = (event, ...args) => {
    const acknowledge = typeof args.at(-1) === "function" ? args.pop() : null;
    state.counts.received += 1;
    state.counts.lastAt = now();
    state.counts.firstAt ??= state.counts.lastAt;
    if (state.received.length < MAX_RECEIVED) {
      state.received.push({ namespace: socket.nsp.name, event, args });
    }
    if (acknowledge && state.ack.mode === "echo") {
      setTimeout(() => acknowledge(...args), state.ack.delay);
    }
  };
  socket.onAny(record);
  const { greeting } = state;
  if (greeting && socket.nsp.name === `/${greeting.instance}`) socket.emit(greeting.event, greeting);
}

function start(options) {
  const state = makeState(options);
  const server = http.createServer((_request, response) => {
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ status: 404, error: "Not Found" }));
  });
  server.on("connection", (socket) => {
    state.rawSockets.add(socket);
    socket.on("close", () => state.rawSockets.delete(socket));
  });
  state.io = new Server({ cors: { origin: "*" }, allowRequest: allowRequest(state), ...options.engine });
  if (options.websocketEnabled) state.io.attach(server);
  else server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
  // The namespaces that come into being later get their listener as they appear.
  state.io.on("new_namespace", (namespace) => namespace.on("connection", (socket) => listen(state, socket)));
  state.io.on("connection", (socket) => listen(state, socket));
  state.io.engine?.on("connection", () => (state.counts.connections += 1));
  return { state, server };
}

function answer(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Runs the commands in the order in which they come, each to its end. */
async function control(commands) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { id, cmd, ...args } = JSON.parse(line, revive);
    try {
      answer({ id, ok: true, result: (await commands[cmd](args)) ?? null });
    } catch (error) {
      answer({ id, ok: false, error: String(error) });
    }
  }
  process.exit(0);
}

const options = { ...DEFAULTS, ...JSON.parse(process.argv[2] || "{}") };
const { state, server } = start(options);
server.on("error", (error) => {
  answer({ id: 0, ok: false, error: String(error) });
  process.exit(1);
});
server.listen(options.port, options.host, () => {
  answer({ id: 0, ok: true, result: { port: server.address().port } });
  control(makeCommands(state));
});
