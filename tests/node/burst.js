"use strict";
// Bursts that are encoded before they are sent, so that the server's own work does not
// slow down what is measured. The frames are exactly those that socket.io would send.

const { Encoder, PacketType } = require("socket.io-parser");
const { Sender } = require("ws");
const { burstData, envelope } = require("./payloads");

const CHUNK_BYTES = 256 * 1024; // what one write hands to the kernel
const TEXT = 1;
const BINARY = 2;

function frame(data, opcode) {
  return Sender.frame(data, { fin: true, opcode, mask: false, rsv1: false, readOnly: true });
}

/** The websocket frames of one event: a text frame and one binary frame per attachment. */
function frames(encoder, namespace, event, message) {
  const packets = encoder.encode({ type: PacketType.EVENT, nsp: namespace, data: [event, message] });
  return packets.flatMap((packet) =>
    typeof packet === "string" ? frame(Buffer.from(`4${packet}`), TEXT) : frame(packet, BINARY),
  );
}

/** Encodes `count` events that go through `instances` in turn. */
function prepare({ instances, event, count, namespace, first = 0, ...shape }) {
  const encoder = new Encoder();
  const chunks = [];
  let pending = [];
  let size = 0;
  let total = 0;
  const flush = () => {
    if (pending.length) chunks.push(Buffer.concat(pending));
    pending = [];
    size = 0;
  };
  for (let index = 0; index < count; index += 1) {
    const instance = instances[index % instances.length];
    const message = envelope(event, instance, burstData(first + index, shape));
    for (const piece of frames(encoder, namespace ?? `/${instance}`, event, message)) {
      pending.push(piece);
      size += piece.length;
      total += piece.length;
    }
    if (size >= CHUNK_BYTES) flush();
  }
  flush();
  return { chunks, count, bytes: total, namespace: namespace ?? `/${instances[0]}` };
}

/** Writes a prepared burst to every client of its namespace; returns their number. */
function fire(io, burst) {
  const sockets = [...io.of(burst.namespace).sockets.values()];
  for (const socket of sockets) {
    const { transport } = socket.conn;
    if (transport.name !== "websocket") throw new Error("prepared bursts need the websocket transport");
    for (const chunk of burst.chunks) transport.socket._socket.write(chunk);
  }
  return sockets.length;
}

module.exports = { fire, prepare };
