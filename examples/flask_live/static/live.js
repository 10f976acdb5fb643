// The page: a list of conversations, one of them open, kept up to date by server-sent events.
"use strict";

const $ = (id) => document.getElementById(id);
const urls = document.body.dataset;

const chats = new Map(); // by instance and jid
let open = null;
let state = "connecting";
let language = localStorage.language || (navigator.language.startsWith("pt") ? "pt" : "en");

const word = (name) => WORDS[language][name];

// Messages

function add(message, isNew) {
  const key = `${message.instance}/${message.chat}`;
  if (!chats.has(key)) {
    chats.set(key, { ...message, key, name: null, messages: new Map(), unread: 0 });
  }
  const chat = chats.get(key);
  if (chat.messages.has(message.id)) return; // it was in the history, or this page sent it
  chat.messages.set(message.id, message);
  if (!message.fromMe && message.name && !chat.isGroup) chat.name = message.name;
  if (isNew && !message.fromMe && chat !== open) chat.unread += 1;
}

async function loadHistory() {
  try {
    const response = await fetch(urls.history);
    if (!response.ok) throw new Error((await response.json()).error);
    for (const message of await response.json()) add(message, false);
    complain(null);
  } catch {
    complain(word("noHistory"));
  }
  show();
}

function listen() {
  const source = new EventSource(urls.events);
  source.onmessage = (event) => {
    add(JSON.parse(event.data), true);
    show();
  };
  source.addEventListener("state", (event) => {
    const before = state;
    state = JSON.parse(event.data).state;
    // What came while the server was away is in its history.
    if (state === "open" && before !== "open") loadHistory();
    showState();
  });
  source.addEventListener("gap", loadHistory);
  source.onerror = () => {
    state = "offline"; // the browser tries again by itself
    showState();
  };
}

async function send(text) {
  const { instance, chat } = open;
  const response = await fetch(urls.messages, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ instance, chat, text }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  add(answer, false);
}

// What is shown. All text goes in as text: nothing that somebody wrote becomes markup.

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const inOrder = (chat) =>
  [...chat.messages.values()].sort((a, b) => (a.at || "").localeCompare(b.at || ""));
const lastOf = (chat) => inOrder(chat).at(-1);
const titleOf = (chat) =>
  chat.name || (chat.isGroup ? word("group") : `+${chat.chat.split("@")[0]}`);
const textOf = (message) => message.text || word("kinds")[message.kind] || word("kinds").unknown;

const timeOf = (message) =>
  message.at
    ? new Date(message.at).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" })
    : "";

function dayOf(message) {
  if (!message.at) return "";
  const day = new Date(message.at);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 864e5);
  if (days === 0) return word("today");
  if (days === 1) return word("yesterday");
  return day.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long" });
}

function paintAvatar(avatar, chat) {
  const letters = titleOf(chat).split(" ").filter(Boolean).map((part) => [...part][0]);
  avatar.textContent = chat.name || chat.isGroup ? letters.slice(0, 2).join("").toUpperCase() : "#";
  let hue = 0;
  for (const letter of chat.chat) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  avatar.style.setProperty("--hue", hue);
  return avatar;
}

function chatItem(chat) {
  const last = lastOf(chat);
  const lead = last.fromMe ? `${word("you")}: ` : chat.isGroup && last.name ? `${last.name}: ` : "";
  const button = element(
    "button",
    { type: "button", className: chat === open ? "current" : "", onclick: () => choose(chat) },
    paintAvatar(element("span", { className: "avatar" }), chat),
    element("span", { className: "name", textContent: titleOf(chat) }),
    element("time", { textContent: timeOf(last) }),
    element("span", { className: "last", textContent: lead + textOf(last) }),
  );
  if (chat.unread) button.append(element("b", { className: "unread", textContent: chat.unread }));
  if (chat === open) button.setAttribute("aria-current", "true");
  return element("li", {}, button);
}

function bubble(message, before) {
  const item = element("li", { className: message.fromMe ? "mine" : "theirs" });
  const isFirst = !before || before.fromMe !== message.fromMe || before.name !== message.name;
  item.classList.toggle("first", isFirst);
  if (open.isGroup && message.name && isFirst) {
    item.append(element("strong", { textContent: message.name }));
  }
  const text = element("p", { textContent: textOf(message) });
  text.classList.toggle("kind", !message.text);
  item.append(text, element("time", { textContent: timeOf(message) }));
  return item;
}

function showThread() {
  const thread = $("thread");
  const items = [];
  let before = null;
  for (const message of open ? inOrder(open) : []) {
    const day = dayOf(message);
    if (!before || dayOf(before) !== day) {
      items.push(element("li", { className: "day", textContent: day }));
      before = null;
    }
    items.push(bubble(message, before));
    before = message;
  }
  thread.replaceChildren(...items);
  thread.scrollTop = thread.scrollHeight;
}

function show() {
  const sorted = [...chats.values()].sort((a, b) =>
    (lastOf(b).at || "").localeCompare(lastOf(a).at || ""));
  $("chats").replaceChildren(...sorted.map(chatItem));
  $("no-chats").hidden = sorted.length > 0;
  $("nothing").hidden = $("chat-head").hidden = $("reply").hidden = true;
  document.body.classList.toggle("reading", open !== null);
  if (open) {
    $("chat-title").textContent = titleOf(open);
    $("chat-about").textContent = open.instance;
    paintAvatar($("chat-avatar"), open);
    $("chat-head").hidden = $("reply").hidden = false;
  } else {
    $("nothing").hidden = false;
  }
  showThread();
  const unread = sorted.reduce((sum, chat) => sum + chat.unread, 0);
  document.title = (unread ? `(${unread}) ` : "") + word("inbox");
}

function showState() {
  $("state").dataset.state = state;
  $("state").lastElementChild.textContent =
    state === "offline" ? word("offline") : word("states")[state];
}

function showWords() {
  document.documentElement.lang = language === "pt" ? "pt-BR" : "en";
  for (const found of document.querySelectorAll("[data-word]")) {
    found.textContent = word(found.dataset.word);
  }
  for (const found of document.querySelectorAll("[data-hint]")) {
    found.placeholder = word(found.dataset.hint);
    found.setAttribute("aria-label", word(found.dataset.hint));
  }
  showState();
  show();
}

function complain(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text || "";
}

// What a person does

function choose(chat) {
  open = chat;
  if (chat) chat.unread = 0;
  show();
  if (chat) $("text").focus();
}

$("back").onclick = () => choose(null);

$("language").onclick = () => {
  language = localStorage.language = language === "pt" ? "en" : "pt";
  showWords();
};

$("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("reply").requestSubmit();
  }
};

$("reply").onsubmit = async (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (!text.trim()) return;
  const button = event.target.querySelector("button");
  button.disabled = true; // the same answer must not go out twice
  try {
    await send(text);
    $("text").value = "";
    complain(null);
    show();
  } catch (error) {
    complain(word("notSent") + error.message);
  } finally {
    button.disabled = false;
    $("text").focus();
  }
};

showWords();
loadHistory();
listen();
