// The sandbox's page. Text of requests enters the document as text nodes only, never as markup.

const KEPT = 1000; // requests
const model = { chains: new Map(), requests: new Map() }; // sent by the sandbox
const view = { query: "", show: "all", rows: 50, chains: 20 }; // chosen by the reader

/* Elements */

const $ = (id) => document.getElementById(id);

/** Make an element: h("p.muted", { title }, "text", child). */
function h(spec, ...children) {
  const [tag, ...names] = spec.split(".");
  const properties = children[0]?.constructor === Object ? children.shift() : {};
  const space = /^(svg|use|path)$/.test(tag) ? "2000/svg" : "1999/xhtml";
  const node = document.createElementNS(`http://www.w3.org/${space}`, tag);
  node.setAttribute("class", names.join(" "));
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter(Boolean));
  return node;
}

const icon = (name, spec = "svg.icon") => h(spec, h("use", { href: `#${name}` }));

/** Text in which `backticks` mark code. */
const prose = (text) => text.split("`").map((part, index) => h(index % 2 ? "code" : "bdi", part));

/** Show items as children. An item that is the same object keeps its element. */
function list(parent, items, key, make) {
  const old = new Map([...parent.children].map((node) => [node.key, node]));
  let budget = 8; // new elements in one frame
  let focused;
  const nodes = items.flatMap((item) => {
    const before = old.get(key(item));
    if (before?.item === item) {
      old.delete(before.key);
      return before;
    }
    if (!before && budget-- <= 0) return [];
    const node = Object.assign(make(item), { key: key(item), item });
    if (before?.contains(document.activeElement)) focused = [node, before];
    return node;
  });
  if (budget < 0) change();
  const index = focused && [...focused[1].querySelectorAll("button")].indexOf(document.activeElement);
  for (const node of old.values()) node.remove();
  nodes.forEach((node, place) => {
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
  focused?.[0].querySelectorAll("button")[index]?.focus();
  return nodes;
}

/** Build the children of an element, unless they show the same. */
function put(id, data, build) {
  const text = JSON.stringify(data);
  if ($(id).shown === text) return;
  $(id).shown = text;
  $(id).replaceChildren(...build(data));
}

function note(id, text) {
  $(id).textContent = text;
  $(id).hidden = !text;
}

/* Text of values */

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const number = (value) => value.toLocaleString();
const plural = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
const time = (iso) => h("time", { title: iso }, clock.format(new Date(iso)));

/** Format an amount without a division: each digit is exact. */
function money({ amount, currency, exponent }) {
  const digits = String(BigInt(amount)).padStart(exponent + 1, "0");
  const decimal = exponent ? `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}` : digits;
  try {
    if (exponent === null) throw currency;
    return new Intl.NumberFormat(undefined, {
      style: "currency", currency, minimumFractionDigits: exponent, maximumFractionDigits: exponent,
    }).format(decimal);
  } catch {
    return `${decimal} ${currency}`;
  }
}

function duration(ms) {
  const units = [[864e5, "d"], [36e5, "h"], [6e4, "min"], [1e3, "s"], [1, "ms"]];
  const [size, unit] = units.find(([least]) => ms >= least) ?? [1, "ms"];
  const value = ms / size;
  return ms >= 0 && `${value.toFixed(value < 10 && ms < 1e4 ? 1 : 0)} ${unit}`;
}

/* Code with colours */

const CODE = /(#.*)|("(?:[^"\\\n]|\\.)*"(?=:))|("(?:[^"\\\n]|\\.)*"|'[^']*')|((?<=\s)(?:-?\d[\w.+-]*|true|false|null))/g;

function coloured(text) {
  if (text.length > 2e4) return [text];
  const names = ["", "comment", "key", "string", "literal"];
  return text.split(CODE).map((part, index) => (index % 5 && part ? h(`span.${names[index % 5]}`, part) : part ?? ""));
}

/** Indent JSON, and keep its numbers as they were sent: 49.0 is not 49. */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text, (key, value, { source }) => (typeof value === "number" ? JSON.rawJSON(source) : value)), null, 2);
  } catch {
    return text;
  }
}

/* Requests to the sandbox, and messages to the reader */

async function call(method, path, body, headers) {
  const options = { method, headers: { "Content-Type": "application/json", ...headers }, body: body && JSON.stringify(body) };
  const response = await fetch(path, options).catch(() => {
    throw new Error("The sandbox does not respond.");
  });
  const data = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(data.error ?? `The sandbox responded with ${response.status}.`);
  return data;
}

/** An event handler that shows its failure. */
const act = (action) => async (event) => {
  try {
    await action(event);
  } catch (error) {
    toast(error.message);
  }
};

let spoken = -5000;
let speech;
let arrived = 0;
const messages = new Set();

/** Announce a message, at most every five seconds. */
function say(message) {
  messages.add(message);
  clearTimeout(speech);
  speech = setTimeout(() => {
    if (arrived) messages.add(plural(arrived, "new request"));
    arrived = 0;
    $("live").textContent = [...messages].join(" ");
    messages.clear();
    spoken = performance.now();
  }, Math.max(99, spoken + 5000 - performance.now()));
}

let toastTimer;

function toast(message, label, action) {
  const [text, button] = $("toast").children;
  text.textContent = message;
  button.textContent = label;
  button.hidden = !label;
  button.onclick = act(action);
  $("toast").hidden = false;
  say(message);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("toast").hidden = true), label ? 3e4 : 5e3);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The address is not a secure one.
    const area = h("textarea.hidden", text);
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    focused.focus();
  }
  toast(`Copied ${what}.`);
}

/* Rendering, at most once a frame */

let frame;

function change() {
  frame ??= requestAnimationFrame(() => {
    frame = null;
    if (model.totals) render();
  });
}

function render() {
  const { totals, settings } = model;
  const empty = !totals.requests.total && !totals.clicks;
  for (const id of ["summary", "attribution", "requests"]) $(id).hidden = empty;
  $("empty").hidden = !empty;
  $("undo").hidden = !model.undo;
  put("host", model.url, (url) => [url]);
  put("token", model.token, (token) => [token]);
  put("snippet", [view.snippet, model.url, model.token], ([name, ...values]) => coloured(SNIPPETS[name](...values)));
  put("storage", model.data, (file) => [file ? `Stored in ${file}` : "In memory"]);
  put("funnel", totals, funnel);
  put("counts", totals.requests, counts);
  put("limit", totals.rate_limit, rateLimit);
  put("revenue", model.revenue, revenue);
  put("queue", [model.faults, model.outage, settings.error_status], queue);
  renderSettings(settings);
  renderHints();
  renderChains();
  renderRequests();
}

/* The empty page */

const SNIPPETS = {
  Shell: (url, token) => `# Point your application at this sandbox
export CMS_HOST=${url}
export CMS_BEARER_TOKEN=${token}

# Or send a first lead
python -c 'from cutmeshort import CMSClient
print(CMSClient().track_lead("Sign up", "user_1", "click_1"))'`,
  Python: (url, token) => `from cutmeshort import CMSClient

client = CMSClient("${token}", host="${url}")
print(client.track_lead("Sign up", "user_1", "click_1"))`,
  pytest: (url, token) => `# Sends its lead here. In your suite, use the fixtures cms_client and cms_sandbox
from cutmeshort import CMSClient

def test_sign_up():
    client = CMSClient("${token}", host="${url}")
    result = client.track_lead("Sign up", "user_1", "click_1")
    assert result["success"]`,
  curl: (url, token) => `curl ${url}/track/lead \\
  -H "Authorization: Bearer ${token}" \\
  -H "Content-Type: application/json" \\
  -d '{"eventName": "Sign up", "customerExternalId": "user_1", "clickId": "click_1"}'`,
};

const fullToken = async () => (model.token_masked ? await call("GET", "/_sandbox/state?include_token=true") : model).token;

function selectSnippet(tab) {
  view.snippet = tab.textContent;
  for (const other of $("tabs").children) {
    other.ariaSelected = other === tab;
    other.tabIndex = other === tab ? 0 : -1;
  }
  $("snippet").setAttribute("aria-labelledby", tab.id);
  change();
}

async function sendTestLead() {
  const lead = { eventName: "Sign up", customerExternalId: "user_1", clickId: "click_1" };
  await call("POST", "/track/lead", lead, { Authorization: `Bearer ${await fullToken()}` });
  $("main").focus();
}

async function clear() {
  if (!$("empty").hidden) return; // what was cleared before can still be undone
  await call("POST", "/_sandbox/clear");
  toast("Cleared.", "Undo", undo);
}

async function undo() {
  await call("POST", "/_sandbox/undo");
  toast("The requests and events are back.");
}

/* Summary */

function funnel({ clicks, leads, sales, sales_after_lead: followed }) {
  const stages = [["click", clicks, leads, "lead"], ["lead", leads, followed, "sale"], ["sale", sales]];
  return stages.map(([name, all, after, next]) => {
    const [one, ...many] = plural(all, name).split(" ");
    const rate = next && all && `${Math.round((100 * after) / all)}%`;
    const node = h(`div.stage.${name}`, h("p", h("b", one), " ", many.join(" ")), h("i.bar"), next && h(`i.band.to-${next}`), next && h("i.lost"),
      next && all > after && h("span.not-yet", `${number(all - after)} not yet`), rate && h("span.rate", { title: `of the ${name}s led to a ${next}` }, rate));
    node.style.setProperty("--from", all / Math.max(clicks, sales, 1));
    node.style.setProperty("--to", after / Math.max(clicks, sales, 1));
    return node;
  });
}

const counts = ({ recorded, pending, duplicate, refused, failed }) => [
  ["recorded", "recorded", recorded + pending, pending && `${number(pending)} deferred`],
  ["duplicate", "duplicates", duplicate, "recorded once"],
  ["refused", "refused", refused, refused && "open one to see why"],
  ["failed", "failed", failed, "on purpose"],
].map(([state, label, value, remark]) => h(`li.${state}`, h("span.pill", icon(state)), label, remark && h("span.muted", remark), h("b", number(value))));

let rateTimer;

function rateLimit({ limit, used }) {
  // Without another request, none is left in a minute.
  clearTimeout(rateTimer);
  rateTimer = setTimeout(() => {
    model.totals.rate_limit.used = 0;
    change();
  }, 6e4);
  $("meter").hidden = !limit;
  Object.assign($("meter"), { max: limit, high: limit - 1, value: used, ariaValueNow: used });
  return [limit ? `${used} of ${limit} this minute` : "off"];
}

function revenue(entries) {
  $("revenue").tabIndex = entries.length > 3 ? 0 : -1; // then it scrolls
  if (!entries.length) return [h("li.muted", "No sales yet.")];
  return entries.map((entry) => h("li", h("b", money(entry)), sparkline(entry.steps), h("span.muted", plural(entry.sales, "sale"))));
}

function sparkline(steps) {
  const x = 100 / (steps.length + 1);
  const top = Math.max(1, ...steps);
  const line = `M0 27${steps.map((value, index) => `H${(index + 1) * x}V${27 - (25 * value) / top}`).join("")}H100`;
  return h("svg.sparkline", { viewBox: "0 0 100 28", preserveAspectRatio: "none", "aria-hidden": true }, h("path.area", { d: `${line}V27` }), h("path", { d: line }));
}

/* Attribution */

function renderHints() {
  const [title, items] = $("hints").children;
  $("hints").hidden = !model.hints.length;
  title.lastChild.textContent = `${plural(model.hints.length, "thing")} to check`;
  list(items, model.hints, ({ text }) => text, ({ text, request }) => h("li", prose(text), " ", request && h("button.link", { onclick: () => reveal(request) }, "Show request")));
}

/** Whether the filter matches. */
function found(item) {
  const parts = [item, ...(item.steps ?? [])].map(({ customer, event, click, invoice }) => [customer, event, click, invoice]);
  item.text ??= JSON.stringify(parts).toLowerCase();
  return item.text.includes(view.query);
}

function filter(text) {
  $("filter").value = text;
  view.query = JSON.stringify(text.trim().toLowerCase()).slice(1, -1);
  change();
}

function renderChains() {
  const chains = [...model.chains.values()].filter(found).sort((a, b) => (a.last_activity < b.last_activity ? 1 : -1));
  list($("chains"), chains.slice(0, view.chains), ({ customer }) => customer, makeChain);
  note("customers", `${view.query ? `${number(chains.length)} of ` : ""}${plural(model.chains.size, "customer")}`);
  note("no-chains", chains.length ? "" : view.query ? "No customer matches." : "No lead or sale is recorded yet.");
  note("more-chains", chains.length > view.chains ? plural(chains.length - view.chains, "more customer") : "");
}

function makeChain({ customer, deferred, waiting, revenue, earlier, steps }) {
  const copyTest = async () => {
    const chain = await call("GET", `/_sandbox/chain?customer=${encodeURIComponent(customer)}`);
    await copy(chain.copy.pytest, "the pytest test");
  };
  return h("article.chain",
    h("header", h("h3.mono", h("bdi", customer)), deferred && h("span.tag.dashed.lead", waiting ? "Waiting" : "Deferred"),
      h("button.button.quiet.copy-test", { onclick: act(copyTest) }, icon("copy"), "Copy as pytest test", h("span.hidden", ` of ${customer}`)),
      h("p.sum", revenue.map((entry) => h("span", money(entry))))),
    earlier && h("p.muted", `${plural(earlier, "earlier step")} not shown`),
    h("ol.steps", steps.map((step, index) => makeStep(step, steps[index + 1]))));
}

function makeStep(step, next) {
  const { type, event, request } = step;
  const [name, remark] = {
    click: () => [step.click, step.link && `link ${step.link}`],
    deferred: () => [event, "deferred"],
    lead: () => [event, step.sent_click ? "click id sent" : "no click id sent"],
    sale: () => [money(step), `${event} · ${step.invoice}`],
    awaited: () => ["Waiting", "for a lead or sale without a click id"],
  }[type]();
  return h(`li.step.${type}`, icon(type, "svg.node"),
    next && h("i.gap", duration(Date.parse(next.time) - Date.parse(step.time))),
    request ? h("button.name", { onclick: () => reveal(request) }, h("bdi", name)) : h("bdi.name", name),
    remark && h("bdi.note", { title: remark }, remark), step.time && time(step.time));
}

/* Break the next request */

const FAULTS = {
  "429, retry after 30 s": { status: 429, retry_after: 30 }, "503 ": { status: 503 }, "503 × 4": { status: 503, times: 4 },
  drop: { drop: true }, "record, then drop": { drop: true, recorded: true }, "5 s late": { latency: 5 },
};

const inject = (fault) => call("POST", "/_sandbox/faults", fault);

function toggleOwn() {
  $("own").hidden = !$("own").hidden;
  $("own-toggle").ariaExpanded = !$("own").hidden;
  ($("own").hidden ? $("own-toggle") : $("own").elements[0]).focus();
}

async function injectOwn(event) {
  event.preventDefault();
  const values = [...new FormData($("own"))].filter(([, value]) => value);
  await inject(Object.fromEntries(values.map(([name, value]) => [name, value === "on" || Number(value)])));
}

function queue([faults, outage, status]) {
  const after = outage ? `then ${outage.label} until the outage ends` : status ? `then ${status} to every request` : faults.length ? "then normal responses" : "a normal response";
  const tokens = faults.map(({ id, label, times }) => {
    const text = times > 1 ? `${label} × ${times}` : label;
    const remove = async () => {
      await call("DELETE", `/_sandbox/faults?id=${id}`);
      $("own-toggle").focus();
    };
    return h("span.queued.failed", text, h("button", { "aria-label": `Remove ${text}`, onclick: act(remove) }, icon("failed")));
  });
  return [h("span.muted", "Next:"), ...tokens, h("span.muted", after)];
}

function renderSettings({ duplicate_status: duplicates, response, rate_limit: limit }) {
  const { elements } = $("settings");
  elements.duplicate_status.value = duplicates;
  elements.response.value = response;
  elements.rate_limit.checked = limit !== null;
  elements.rate_limit.nextSibling.textContent = ` Limit: ${limit ?? 60} a minute`;
}

async function patch({ target: { name, value, checked } }) {
  const setting = { duplicate_status: Number(value), response: value, rate_limit: checked ? 60 : null }[name];
  await call("PATCH", "/_sandbox/settings", { [name]: setting });
}

/* Requests */

function show(state) {
  view.show = state;
  for (const button of $("segments").children) button.ariaPressed = button.value === state;
  change();
}

function renderRequests() {
  const all = [...model.requests.values()].reverse().filter((request) => found(request) && ["all", request.state].includes(view.show));
  // New rows wait while a row is open or the reader has scrolled.
  view.newest = all[0]?.id;
  view.held = view.open || view.scrolled ? view.held ?? $("rows").firstChild?.key : null;
  const waiting = view.held ? Math.max(0, all.findIndex(({ id }) => id === view.held)) : 0;
  const shown = all.slice(waiting, waiting + view.rows);
  const nodes = list($("rows"), shown, ({ id }) => id, makeRow);
  const lines = rails(nodes.map(({ item }) => item));
  nodes.forEach((node, index) => updateRow(node, lines[index]));
  const older = all.length - waiting - shown.length;
  note("total", `${all.length < model.requests.size ? `${number(all.length)} of ` : ""}${number(model.totals.requests.total)}`);
  note("new", waiting ? plural(waiting, "new request") : "");
  note("older", older ? `${number(older)} older` : "");
  note("no-requests", all.length ? "" : model.requests.size ? "No request matches." : "No request yet.");
}

/** Join the attempts of a call: whether a line leads up and down from each row. */
function rails(requests) {
  const last = new Map(requests.map(({ call }, index) => [call, index]));
  const joined = new Set();
  let end = -1;
  return requests.map(({ call }, index) => {
    const up = index <= end;
    end = Math.max(end, last.get(call));
    if (last.get(call) > index) joined.add(call);
    return [up && "up", index < end && "down", joined.has(call) ? "" : up && "aside"];
  });
}

function makeRow(request) {
  const { id, state, status, event, operation, attempt } = request;
  const notes = [
    request.customer, request.invoice, request.currency && request.amount !== null && money(request),
    attempt > 1 && `attempt ${attempt}`, request.replay_of && "sent again", request.fault, state === "pending" && "deferred",
  ].filter(Boolean);
  return h(`li.row.${state}${status ? "" : ".hollow"}`,
    h("button.row-button", { "aria-expanded": false, "aria-controls": `detail-${id}`, onclick: () => open(view.open === id ? null : id) },
      h("span.time.mono", time(request.time)), h("span.rail"),
      h("span.what", h("bdi.event", event ?? { track_lead: "Lead", track_sale: "Sale" }[operation] ?? "Request"),
        h("span.notes", notes.flatMap((text, index) => [index && " · ", h("bdi", text)]))),
      pill(request), h("span.duration", duration(request.duration_ms))));
}

const pill = ({ state, status }) => h("span.pill", icon(state), status ? `${status} ${state}` : "no response");

function updateRow(node, lines) {
  const [button, detail] = node.children;
  button.children[1].className = `rail ${lines.filter(Boolean).join(" ")}`;
  const isOpen = view.open === node.key;
  button.ariaExpanded = isOpen;
  if (!isOpen) detail?.remove();
  else if (!detail) showDetail(node);
  if (view.reveal !== node.key) return;
  view.reveal = null;
  button.focus();
}

function open(id) {
  view.open = id;
  change();
}

/** Open a request, wherever it is in the list. */
function reveal(id) {
  filter("");
  show("all");
  selectTab("requests");
  Object.assign(view, { rows: KEPT, held: [...model.requests.keys()].pop(), reveal: id });
  open(id);
  if (!model.requests.has(id)) toast("The sandbox no longer keeps this request.");
}

async function showDetail(node) {
  const { id, why } = node.item;
  const panel = h("div.detail", { id: `detail-${id}` }, h("p.why", h("b.pill", "Why"), h("span", prose(why))));
  node.append(panel);
  await act(async () => {
    const { request, response, copy: code, ...summary } = await call("GET", `/_sandbox/requests/${id}`);
    const button = (label, action) => h("button.button", { onclick: act(action) }, label);
    panel.append(
      h("div.bodies",
        box("Request", h("code", request.path), request),
        box("Response", response ? h("span.pill", `${response.status} ${summary.type}`) : pill(summary), response ?? { headers: [], body: "The connection was closed without a response." })),
      h("p.actions",
        button("Send again", () => sendAgain(id)),
        button("Copy as Python", () => copy(code.python, "the Python code")),
        button("Copy as curl", () => copy(code.curl, "the curl command")),
        button("Copy as pytest test", () => copy(code.pytest, "the pytest test"))));
  })();
}

function box(title, remark, { headers, body, truncated }) {
  return h("section.box", h("h3", title, remark), h("pre.code", { tabindex: 0, "aria-label": title, role: "region" },
    coloured(indented(body)), truncated && "\n… truncated", h("span.comment", "\n\n", headers.map((header) => `${header.join(": ")}\n`))));
}

async function sendAgain(id) {
  const sent = await call("POST", `/_sandbox/requests/${id}/replay`);
  toast(`Sent again: ${sent.status ?? "no response,"} ${sent.state}.`, "Show", () => reveal(sent.id));
}

/* The event stream */

let stream;
let reconnect;
let lost;

/** Connect, unless hidden: a browser allows six connections to a host. */
function connect() {
  clearTimeout(reconnect);
  stream?.close();
  if (document.hidden) return;
  stream = new EventSource(`/_sandbox/events?after=${model.sequence ?? 0}`);
  stream.onopen = () => model.totals && connection("Live");
  stream.onerror = () => {
    lost ??= Date.now();
    stream.close();
    reconnect = setTimeout(connect, 1000);
    connection(Date.now() - lost < 1e4 ? "Reconnecting…" : "Stopped", lost);
  };
  stream.addEventListener("snapshot", act(({ data }) => snapshot(JSON.parse(data))));
  stream.addEventListener("update", ({ data }) => receive(JSON.parse(data)));
}

function connection(label, since) {
  lost = since;
  if ($("connection").textContent === label) return;
  $("connection").className = `connection ${label.toLowerCase()}`;
  $("connection").textContent = label;
  say(`Connection: ${label}`);
}

function receive({ requests = [], chains = [], ...rest }) {
  Object.assign(model, rest);
  for (const chain of chains) model.chains.set(chain.customer, chain);
  arrived += requests.length;
  for (const request of requests) model.requests.set(request.id, request);
  for (const id of model.requests.keys()) {
    if (model.requests.size <= KEPT) break;
    model.requests.delete(id);
  }
  model.late?.push(...requests);
  if (requests.length) say("");
  change();
}

/** Replace everything. */
async function snapshot(state) {
  model.chains.clear();
  receive(state);
  const late = (model.late = []); // updates before the list is there
  const { requests } = await call("GET", `/_sandbox/requests?limit=${KEPT}`);
  if (late !== model.late) return;
  model.requests = new Map([...requests.reverse(), ...late].map((request) => [request.id, request]));
  model.late = view.held = null;
  if (!model.requests.has(view.open)) view.open = null;
  change();
  requestAnimationFrame(() => connection("Live"));
}

/* Keys, tabs of the phone, theme */

const KEYS = {
  "/": () => {
    selectTab("chains");
    $("filter").focus();
  },
  j: () => move(1),
  k: () => move(-1),
  c: act(clear),
};

function move(step) {
  selectTab("requests");
  const rows = [...$("rows").children];
  const from = rows.indexOf(document.activeElement.closest(".row"));
  rows[Math.max(0, from + step)]?.firstChild.focus();
}

function onKey(event) {
  const { key, target } = event;
  if (key === "Escape") escape(target);
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select") || !Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
}

function escape(target) {
  if (target === $("filter")) {
    filter("");
    target.blur();
  } else if ($("own").contains(target)) toggleOwn();
  else if (view.open) {
    target.closest(".row")?.firstChild.focus();
    open(null);
  }
}

function selectTab(name) {
  document.body.dataset.tab = name;
  for (const button of $("sections").children) button.ariaCurrent = button.value === name;
}

function onScroll() {
  view.scrolled = $("rows").getBoundingClientRect().top < 0;
  if (view.held && !view.scrolled) change();
}

const THEMES = ["system", "light", "dark"];

/** Use a theme, or the one of the last visit. Browsers may forbid the storage. */
function setTheme(name) {
  try {
    name ??= localStorage["cutmeshort-theme"];
    localStorage["cutmeshort-theme"] = name ?? "system";
  } catch {}
  document.documentElement.dataset.theme = name ?? "system";
  $("theme").ariaLabel = $("theme").title = `Theme: ${name ?? "system"}`;
}

/* Start */

const BUTTONS = {
  "copy-host": () => copy(model.url, "CMS_HOST"),
  "copy-token": async () => copy(await fullToken(), "the token"),
  "copy-snippet": async () => copy(SNIPPETS[view.snippet](model.url, await fullToken()), "the code"),
  "test-lead": sendTestLead,
  clear,
  undo,
  theme: () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % 3]),
  "own-toggle": toggleOwn,
  "more-chains": () => more("chains"),
  older: () => more("rows"),
  new: () => {
    view.held = view.reveal = view.newest;
    change();
  },
};

function more(part) {
  view[part] += 100;
  change();
}

$("chips").prepend(...Object.entries(FAULTS).map(([label, fault]) => h("button.chip", { onclick: act(() => inject(fault)) }, icon("bolt"), label)));
for (const [id, action] of Object.entries(BUTTONS)) $(id).onclick = act(action);
for (const button of $("segments").children) button.onclick = () => show(button.value);
for (const button of $("sections").children) button.onclick = () => {
  selectTab(button.value);
  scrollTo(0, 0);
};
for (const tab of $("tabs").children) tab.onclick = () => selectSnippet(tab);
$("tabs").onkeydown = ({ key, target }) => {
  const tab = { ArrowRight: target.nextElementSibling, ArrowLeft: target.previousElementSibling }[key];
  tab?.focus();
  tab?.click();
};
$("own").onsubmit = act(injectOwn);
$("settings").onchange = act(patch);
$("filter").oninput = ({ target }) => filter(target.value);
addEventListener("keydown", onKey);
addEventListener("scroll", onScroll, { passive: true });
document.addEventListener("visibilitychange", connect);
const narrow = matchMedia("(max-width: 900px)");
narrow.onchange = () => ($("summary").tabIndex = narrow.matches ? 0 : -1); // then it scrolls
narrow.onchange();
setTheme();
selectSnippet($("tabs").firstElementChild);
selectTab("chains");
connect();
