"use strict";
// The commands of the test server, by name. Each gets one object and returns JSON.

const { setImmediate: nextTurn, setTimeout: delay } = require("node:timers/promises");
const { burstData, encodeBytes, envelope, now } = require("./payloads");
const { fire, prepare } = require("./burst");

const NEVER_ON_A_NAMESPACE = "groups.update"; // its setting has another name than the event

function isSelected(state, instance, event) {
  if (event === NEVER_ON_A_NAMESPACE) return false;
  const { enabled = true, events = null } = state.settings.get(instance) ?? {};
  const name = event.replace(/[.-]/g, "_").toUpperCase();
  return enabled && (events === null || events.includes(name));
}

/** Sends one envelope as the real server does: "/" first, "/<instance>" after a look-up. */
async function send(state, message) {
  const { event, instance } = message;
  state.counts.emitted += 1;
  if (state.options.globalEvents) state.io.emit(event, message);
  if (!isSelected(state, instance, event)) return;
  if (state.options.lookupDelay) await delay(state.options.lookupDelay);
  // of() creates the namespace: the event that does so reaches nobody.
  state.io.of(`/${instance}`).emit(event, message);
}

async function emit(state, { event, instance, data = null, count = 1, ...about }) {
  for (let index = 0; index < count; index += 1) {
    await send(state, envelope(event, instance, data, about));
  }
}

/** Emits a burst in the ordinary way; a rate of 0 sends it as fast as it goes. */
async function burst(state, { instances, event = "messages.upsert", count, rate = 0, first = 0, ...shape }) {
  const start = performance.now();
  for (let index = 0; index < count; index += 1) {
    if (rate) await delay(Math.max(0, start + (1000 * index) / rate - performance.now()));
    else if (index % 100 === 99) await nextTurn(); // lets the sockets be written
    const data = burstData(first + index, shape);
    data.sent = now();
    const instance = instances[index % instances.length];
    await send(state, envelope(event, instance, data));
  }
}

function clients(state) {
  const joined = {};
  for (const [name, namespace] of state.io._nsps) joined[name] = namespace.sockets.size;
  return joined;
}

function stats(state) {
  return { ...state.counts, clients: clients(state), transports: state.io.engine?.clientsCount ?? 0 };
}

function drop(state) {
  const count = state.rawSockets.size;
  for (const socket of state.rawSockets) socket.destroy();
  return count;
}

function takeReceived(state) {
  Object.assign(state.counts, { received: 0, firstAt: null, lastAt: null });
  return encodeBytes(state.received.splice(0));
}

/** Closes every websocket in the orderly way, with a close frame. */
function closeTransports(state) {
  for (const client of Object.values(state.io.engine.clients)) client.close();
}

function makeCommands(state) {
  return {
    emit: (args) => emit(state, args),
    emit_raw: ({ namespace, event, args = [] }) => void state.io.of(namespace).emit(event, ...args),
    envelopes: async ({ envelopes }) => {
      for (const message of envelopes) await send(state, message);
    },
    burst: (args) => burst(state, args),
    start_burst: (args) => void burst(state, args),
    prepare: ({ name, ...args }) => {
      const prepared = prepare({ event: "messages.upsert", ...args });
      state.bursts.set(name, prepared);
      return { bytes: prepared.bytes };
    },
    fire: ({ name }) => fire(state.io, state.bursts.get(name)),
    forget: ({ name }) => void state.bursts.delete(name),
    create_namespace: ({ instance }) => void state.io.of(`/${instance}`),
    configure: ({ instance, enabled, events }) => void state.settings.set(instance, { enabled, events }),
    refuse: ({ reason }) => void (state.refusal = reason),
    acknowledge: ({ mode, delay: wait = 0 }) => void (state.ack = { mode, delay: wait }),
    greet: ({ event, instance, data }) => void (state.greeting = event && envelope(event, instance, data)),
    kick: ({ namespace, close }) => void state.io.of(namespace).disconnectSockets(close),
    close_transports: () => closeTransports(state),
    drop: () => drop(state),
    stats: () => stats(state),
    received: () => takeReceived(state),
  };
}

module.exports = { makeCommands };
