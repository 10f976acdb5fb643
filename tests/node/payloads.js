"use strict";
// What the server sends: Evolution's envelope, and invented data of a wanted size.

const MEDIA_BYTES = 32; // mediaKey, fileSha256 and their like

/** Seconds in the clock that is time.monotonic() in Python. */
function now() {
  return Number(process.hrtime.bigint()) / 1e9;
}

/** Turns {"$bytes": "<base64>"} into a Buffer, at any depth. */
function revive(_key, value) {
  const coded = value !== null && typeof value === "object" && typeof value.$bytes === "string";
  return coded && Object.keys(value).length === 1 ? Buffer.from(value.$bytes, "base64") : value;
}

/** Turns Buffers and typed arrays into {"$bytes": "<base64>"}, at any depth. */
function encodeBytes(value) {
  if (ArrayBuffer.isView(value)) return { $bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(encodeBytes);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encodeBytes(item)]));
}

/** The envelope in the real server's order of keys; `sender` is absent until it is known. */
function envelope(event, instance, data, { extra = {}, sender, apikey = null } = {}) {
  const message = { ...extra, event, instance, data, server_url: "http://127.0.0.1" };
  message.date_time = new Date().toISOString();
  if (sender) message.sender = sender;
  message.apikey = apikey;
  return message;
}

/** The bytes of attachment `index` of event `seq`: a receiver can tell whether they are right. */
function attachment(seq, index) {
  const bytes = Buffer.alloc(MEDIA_BYTES, index);
  bytes.writeUInt32BE(seq, 0);
  return bytes;
}

function context(seq, attachments) {
  const info = { deviceListMetadataVersion: 2 };
  for (let index = 0; index < attachments; index += 1) info[`bytes${index}`] = attachment(seq, index);
  return info;
}

/** The data of a messages.upsert, whose text grows by `filler` characters. */
function messageData(seq, { filler = 0, attachments = 0, media = false, tag = "" } = {}) {
  const text = media ? "aGVs".repeat(filler / 4 + 1) : "uma linha de texto ".repeat(filler / 19 + 1);
  const body = text.slice(0, filler);
  return {
    key: { remoteJid: "5511980000101@s.whatsapp.net", fromMe: false, id: `BENCH${tag}${seq}` },
    pushName: "João Exemplo",
    status: "DELIVERY_ACK",
    message: media
      ? { imageMessage: { mimetype: "image/jpeg", caption: "" }, base64: body, messageContextInfo: context(seq, attachments) }
      : { conversation: body, messageContextInfo: context(seq, attachments) },
    messageType: media ? "imageMessage" : "conversation",
    messageTimestamp: 1764950955,
    instanceId: "0b7c1a52-4d1e-4c0a-9d11-000000000001",
    source: "android",
    seq,
  };
}

/** Options for messageData() that make the text frame of one event about `size` bytes. */
function sized(kind, size, attachments, overhead) {
  const media = kind === "media";
  const bare = Buffer.byteLength(JSON.stringify(messageData(0, { media }))) + overhead + 60 * attachments;
  return { media, attachments, filler: Math.max(0, size - bare) };
}

/** Event `seq` of a burst: mixed bursts go through text, binary and media in turn. */
function burstData(seq, { kind = "text", size = 1000, attachments = 3, overhead = 180, tag }) {
  const turn = kind === "mixed" ? ["text", "binary", "media"][seq % 3] : kind;
  const bytes = turn === "binary" ? attachments : 0;
  return messageData(seq, { tag, ...sized(turn, size, bytes, overhead) });
}

module.exports = { burstData, encodeBytes, envelope, now, revive };
