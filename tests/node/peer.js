"use strict";
// The benchmarks' client on Node's own socket.io-client. It gets a job in JSON as its
// only argument and reports on stdout, one JSON object a line, as the Python peers do.

const { io } = require("socket.io-client");
const { now } = require("./payloads");

const job = JSON.parse(process.argv[2]);

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Tells whether the attachments of an event hold what the server put into them. */
function isCorrupt(data) {
  for (let index = 0; index < job.attachments; index += 1) {
    const bytes = data.message.messageContextInfo[`bytes${index}`];
    if (!Buffer.isBuffer(bytes) || bytes.readUInt32BE(0) !== data.seq) return true;
  }
  return false;
}

/** Counts events up to `count`, then reports and starts over with the next number. */
function makeCounter(steps) {
  let step = steps.shift();
  let tally = { seen: 0, disordered: 0, corrupt: 0, latencies: [], cpu: cpuSeconds(), start: now() };
  return (envelope) => {
    const { data } = envelope;
    if (data.seq !== tally.seen) tally.disordered += 1;
    if (isCorrupt(data)) tally.corrupt += 1;
    if (data.sent) tally.latencies.push(now() - data.sent);
    tally.seen += 1;
    if (tally.seen < step.count) return;
    step.done(tally);
    step = steps.shift() ?? { count: Infinity };
    tally = { seen: 0, disordered: 0, corrupt: 0, latencies: [], cpu: cpuSeconds(), start: now() };
  };
}

function report(tally) {
  const result = { ...tally, cpu: cpuSeconds() - tally.cpu, wall: now() - tally.start, threads: 1 };
  say({ say: "result", result: { ...result, rss: process.memoryUsage().rss } });
}

const options = { transports: ["websocket"], extraHeaders: { apikey: job.api_key } };
const count = makeCounter([
  { count: job.warmup, done: () => say({ say: "warm" }) },
  { count: job.count, done: report },
]);
let joined = 0;
for (const instance of job.instances) {
  const socket = io(`${job.url}/${instance}`, options);
  socket.on("messages.upsert", count);
  socket.on("connect", () => {
    joined += 1;
    if (joined === job.instances.length) say({ say: "connected" });
  });
}
process.stdin.on("end", () => process.exit(0)).resume();
