// Text of requests enters the document as text, never as markup.

const KEPT = 1000;
const LEAD = { eventName: "Sign up", customerExternalId: "user_1", clickId: "click_1" };
const model = { chains: new Map(), requests: new Map() };
const view = { query: "", show: "all", rows: 50, chains: 20 };

const $ = (id) => document.getElementById(id);

/** h("p.muted", { title }, "text", child) makes an element. */
function h(spec, ...children) {
  const [tag, ...names] = spec.split(".");
  const properties = children[0]?.constructor === Object ? children.shift() : {};
  const drawn = ["svg", "use", "path"].includes(tag);
  const node = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  node.setAttribute("class", names.join(" "));
  for (const [name, value] of Object.entries(properties)) {
    if (name === "onclick") node.onclick = act(value);
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter(Boolean));
  return node;
}

const icon = (name, spec = "svg") => h(spec, h("use", { href: `#${name}` }));

/** Text in which `backticks` mark code. */
const prose = (text) => text.split("`").map((part, index) => h(index % 2 ? "code" : "bdi", part));

/** Show items, at most eight new ones a frame. The same item keeps its element. */
function list(parent, items, key, make) {
  const old = new Map([...parent.children].map((node) => [node.key, node]));
  const focus = document.activeElement;
  const buttons = (node) => [...node.querySelectorAll("button")];
  const focused = [...parent.children].find((node) => node.contains(focus));
  let added = 0;
  const nodes = items.flatMap((item) => {
    const node = old.get(key(item));
    if (!node && ++added > 8) return [];
    if (node?.item !== item) return Object.assign(make(item), { key: key(item), item });
    old.delete(node.key);
    return node;
  });
  if (added > 8) change({ growing: true }); // until all are shown
  parent.className = nodes.length > 50 ? "many" : "";
  for (const node of old.values()) node.remove();
  let next = parent.firstChild;
  for (const node of nodes) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
    if (node.key === focused?.key && focus !== document.activeElement) buttons(node)[buttons(focused).indexOf(focus)]?.focus();
  }
  return nodes;
}

/** Fill an element, unless it shows the same. */
function put(id, data, build = (text) => [text]) {
  const text = JSON.stringify(data);
  if ($(id).shown !== text) $(id).replaceChildren(...build(data));
  $(id).shown = text;
}

function note(id, text) {
  put(id, text);
  $(id).hidden = !text;
}

const { format: number } = new Intl.NumberFormat();
const plural = (value, one) => `${number(value)} ${one}${value === 1 ? "" : "s"}`;
const time = (iso) => h("time", { title: iso }, new Date(iso).toTimeString().slice(0, 8));

function money({ amount, currency, exponent }) {
  const value = amount / 10 ** exponent;
  try {
    return value.toLocaleString(undefined, { style: "currency", currency, minimumFractionDigits: exponent, maximumFractionDigits: exponent });
  } catch {
    return `${value} ${currency}`;
  }
}

const UNITS = { d: 864e5, h: 36e5, min: 6e4, s: 1e3, ms: 0 };

function duration(ms) {
  const unit = Object.keys(UNITS).find((unit) => ms >= UNITS[unit]);
  return unit && (ms < 0.1 ? "<0.1 ms" : `${+(ms / (UNITS[unit] || 1)).toPrecision(2)} ${unit}`);
}

function coloured(text) {
  const parts = text.split(/("(?:\\.|[^"\\])*"|'[^']*'|#.*)/);
  const name = (index) => (parts[index][0] === "#" ? "muted" : parts[index + 1][0] === ":" ? "key" : "string");
  return parts.map((part, index) => (index % 2 ? h(`span.${name(index)}`, part) : part));
}

/** Indent JSON, in which 49.0 stays 49.0. */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text, (key, value, { source }) => (typeof value === "number" ? JSON.rawJSON(source) : value)), null, 2);
  } catch {
    return text;
  }
}

async function call(method, path, body, headers) {
  headers = { "Content-Type": "application/json", ...headers };
  const response = await fetch(path, { method, headers, body: JSON.stringify(body) }).catch(() => {
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

const timers = {};

function later(name, delay, action) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(action, delay);
}

const messages = new Set();
let spoken = -5000;
let arrived = 0;

/** Announce messages, at most every five seconds. */
function say(message) {
  messages.add(message);
  later("speech", Math.max(99, spoken + 5000 - performance.now()), () => {
    if (arrived) messages.add(plural(arrived, "new request"));
    arrived = 0;
    $("live").textContent = [...messages].join(" "); // also the same text
    messages.clear();
    spoken = performance.now();
  });
}

function toast(message, label, action) {
  const [text, button] = $("toast").children;
  text.textContent = message;
  button.textContent = label;
  button.hidden = !label;
  button.onclick = act(action);
  $("toast").hidden = false;
  say(message);
  later("toast", label ? 3e4 : 5e3, () => ($("toast").hidden = true));
}

async function copy(text, what = "the code") {
  if (!navigator.clipboard) throw new Error("The browser copies from localhost only.");
  await navigator.clipboard.writeText(text);
  toast(`Copied ${what}.`);
}

let frame;

function change(choice) {
  Object.assign(view, choice);
  frame ??= requestAnimationFrame(() => {
    frame = null;
    if (model.ready) render();
  });
}

function render() {
  const { totals, settings } = model;
  view.growing = false;
  const empty = !totals.requests.total && !totals.clicks;
  if (document.body.matches(".fresh") !== empty) {
    if ($("start").contains(document.activeElement)) $("main").focus();
    $("main")[empty ? "prepend" : "append"]($("start"));
  }
  document.body.className = empty ? "fresh" : "used";
  put("host", model.url);
  put("token", model.token);
  put("snippet", snippets(model)[view.snippet], coloured);
  put("storage", model.data ? `Stored in ${model.data}` : "In memory");
  put("funnel", totals, funnel);
  put("counts", totals.requests, counts);
  put("limit", totals.rate_limit, rateLimit);
  put("revenue", model.revenue, revenue);
  put("queue", [model.faults, model.outage, settings.error_status], queue);
  renderSettings(settings);
  put("hints", model.hints, hints);
  $("hints").hidden = !model.hints.length;
  renderChains();
  renderRequests();
}

/** Quote text for a shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const snippets = ({ url, token }) => ({
  Shell: `# Point your application at this sandbox
export CMS_HOST=${url}
export CMS_BEARER_TOKEN=${quoted(token)}

# Or send a first lead
python -c 'from cutmeshort import CMSClient
print(CMSClient().track_lead("Sign up", "user_1", "click_1"))'`,
  Python: `from cutmeshort import CMSClient

client = CMSClient(${JSON.stringify(token)}, host="${url}")
print(client.track_lead("Sign up", "user_1", "click_1"))`,
  pytest: `from cutmeshort import CMSClient

def test_sign_up():
    client = CMSClient(${JSON.stringify(token)}, host="${url}")
    result = client.track_lead("Sign up", "user_1", "click_1")
    assert result["success"]`,
  curl: `curl ${url}/track/lead \\
  -H ${quoted(`Authorization: Bearer ${token}`)} \\
  -H "Content-Type: application/json" \\
  -d '${JSON.stringify(LEAD)}'`,
});

/** The state with the whole token. */
const full = () => call("GET", "/_sandbox/state?include_token=true");

function selectSnippet(tab) {
  for (const other of $("tabs").children) {
    other.ariaSelected = other === tab;
    other.tabIndex = other === tab ? 0 : -1;
  }
  change({ snippet: tab.textContent });
}

async function clear() {
  await call("POST", "/_sandbox/clear");
  toast("Cleared.", "Undo", async () => {
    await call("POST", "/_sandbox/undo");
    toast("Restored.");
  });
}

function funnel({ clicks, leads, sales, sales_after_lead: followed }) {
  const stages = [["click", clicks, leads, "lead"], ["lead", leads, followed, "sale"], ["sale", sales]];
  return stages.map(([name, all, after, next]) => {
    const node = h(`div.stage.${name}`, h("p", h("b", number(all)), name !== "click" ? ` with a ${name}` : all === 1 ? " click" : " clicks"), h("i.bar"),
      next && [h("i.band"), h("i.lost"), all > after && h("span", `${number(all - after)} not yet`), all && h("b.rate", `${Math.round((100 * after) / all)}%`)]);
    node.style.setProperty("--next", `var(--${next})`);
    node.style.setProperty("--from", `${(70 * all) / Math.max(clicks, sales, 1)}%`);
    node.style.setProperty("--to", `${(70 * after) / Math.max(clicks, sales, 1)}%`);
    return node;
  });
}

const counts = ({ recorded, pending, duplicate, refused, failed }) => [
  ["recorded", pending ? `recorded, ${number(pending)} deferred` : "recorded", recorded + pending],
  ["duplicate", "duplicates, recorded once", duplicate],
  ["refused", "refused", refused],
  ["failed", "failed on purpose", failed],
].map(([state, label, value]) => h(`li.${state}`, h("span.pill", icon(state)), label, h("b", number(value))));

function rateLimit({ limit, used }) {
  $("meter").hidden = !limit;
  Object.assign($("meter"), { max: limit, high: limit - 1, value: used });
  return [limit ? `${used} of ${limit} this minute` : "off"];
}

function revenue(entries) {
  $("revenue").tabIndex = entries.length > 3 ? 0 : -1; // then it scrolls
  if (!entries.length) return [h("li.muted", "No sales yet.")];
  return entries.map((entry) => h("li", h("b", money(entry)), sparkline(entry.steps), h("span.muted", plural(entry.sales, "sale"))));
}

function sparkline(steps) {
  const x = 84 / (steps.length + 1);
  const top = Math.max(1, ...steps);
  const line = steps.map((value, index) => `H${(index + 1) * x}V${27 - (25 * value) / top}`);
  return h("svg.sparkline", { viewBox: "0 0 84 28", preserveAspectRatio: "none" }, h("path", { d: `M-2 27${line.join("")}H99V27` }));
}

const hints = (all) => [
  h("summary", icon("warning"), `${plural(all.length, "thing")} to check`),
  h("ul", all.map(({ text, request }) => h("li", prose(text), " ", request && h("button.link", { onclick: () => reveal(request) }, "Show request")))),
];

/** Whether the filter matches. */
function found(item) {
  item.text ??= [item, ...(item.steps ?? [])].flatMap(({ customer, event, click, invoice }) => [customer, event, click, invoice]).join("\n").toLowerCase();
  return item.text.includes(view.query);
}

function filter(text) {
  $("filter").value = text;
  change({ query: text.trim().toLowerCase() });
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
    await copy(chain.copy.pytest);
  };
  return h("article.chain",
    h("header", h("h3.mono", h("bdi", customer)), deferred && h("span.tag.dashed.lead", waiting ? "Waiting" : "Deferred"),
      h("button.button.quiet", { "aria-label": `Copy as pytest test: ${customer}`, onclick: copyTest }, icon("copy"), "Copy as pytest test"),
      h("p", revenue.map((entry) => h("span", money(entry))))),
    earlier && h("p.muted", `${plural(earlier, "earlier step")} not shown`),
    h("ol.steps", steps.map((step, index) => makeStep(step, steps[index + 1]))));
}

function makeStep(step, next) {
  const { type, event } = step;
  const [name, remark] = {
    click: () => [step.click, step.link && `link ${step.link}`],
    deferred: () => [event, "deferred"],
    lead: () => [event, step.sent_click ? "click id sent" : "no click id sent"],
    sale: () => [money(step), `${event} · ${step.invoice}`],
    awaited: () => ["Waiting", "for a lead or sale without a click id"],
  }[type]();
  const gap = next && duration(Date.parse(next.time) - Date.parse(step.time));
  return h(`li.step.${type}`, icon(type, "svg.node"), next && h("i.gap", gap && h("span", gap)),
    h("bdi.name", step.request ? h("button", { title: "Show request", onclick: () => reveal(step.request) }, name) : name),
    remark && h("bdi.note", { title: remark }, remark), step.time && time(step.time));
}

const FAULTS = {
  "429, retry after 30 s": { status: 429, retry_after: 30 }, "503 ": { status: 503 }, "503 × 4": { status: 503, times: 4 },
  drop: { drop: true }, "record, then drop": { drop: true, recorded: true }, "5 s late": { latency: 5 },
};

const inject = (fault) => call("POST", "/_sandbox/faults", fault);

function queue([faults, outage, status]) {
  const after = outage ? `${outage.label} until the outage ends` : status ? `${status} for every request` : "normal responses";
  const tokens = faults.map(({ id, label, times }) => {
    const text = label + (times > 1 ? ` × ${times}` : "");
    const remove = async () => {
      await call("DELETE", `/_sandbox/faults?id=${id}`);
      $("own-toggle").focus();
    };
    return h("span.queued.failed", text, h("button", { "aria-label": `Remove ${text}`, onclick: remove }, icon("failed")));
  });
  return [h("span.muted", "Next:"), ...tokens, h("span.muted", faults.length ? "then " : "", after)];
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

/** Press one of the buttons of a group. */
function press(group, value) {
  for (const button of $(group).children) button.ariaPressed = button.value === value;
}

function show(state) {
  press("segments", state);
  change({ show: state });
}

function renderRequests() {
  const all = [...model.requests.values()].reverse().filter((request) => found(request) && ["all", request.state].includes(view.show));
  if (!model.requests.has(view.open)) view.open = null;
  // New rows wait while a row is open.
  view.newest = all[0]?.id;
  view.held = view.open && (view.held ?? new Set(model.requests.keys()));
  const waiting = all.filter(({ id }) => view.held?.has(id) === false).length;
  view.rows = Math.max(view.rows, all.findIndex(({ id }) => id === view.open) - waiting + 1);
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

/** Where the line that joins the attempts of a call leads from each row. */
function rails(requests) {
  const last = new Map(requests.map(({ call }, index) => [call, index]));
  const joined = new Set();
  let end = -1;
  return requests.map(({ call }, index) => {
    const up = index <= end;
    end = Math.max(end, last.get(call));
    if (last.get(call) > index) joined.add(call);
    return `rail ${up ? "up" : ""} ${index < end ? "down" : ""} ${up && !joined.has(call) ? "past" : ""}`;
  });
}

function makeRow(request) {
  const { id, state, status, event, operation, attempt } = request;
  const notes = [
    request.customer, attempt > 1 && `attempt ${attempt}`, request.replay_of && "sent again", request.fault, state === "pending" && "deferred",
    state === "refused" && request.why.split(/[.,;] /)[0], request.invoice, request.currency && request.amount && money(request),
  ].filter(Boolean);
  return h(`li.row.${state}${status ? "" : ".hollow"}`,
    h("button", { "aria-expanded": false, onclick: () => change({ open: view.open === id ? null : id }) },
      h("span.mono", time(request.time)), h("span"),
      h("span.what", h("b", h("bdi", event ?? operation ?? "Request")),
        h("span.muted", notes.flatMap((text, index) => [index && "\xa0· ", h("bdi", text)]))),
      h("span.pill", icon(state), status ? `${status} ${state}` : "no response"), h("span.duration", duration(request.duration_ms))));
}

function updateRow(node, line) {
  const [button, detail] = node.children;
  const isOpen = view.open === node.key;
  if (node.line !== line) button.children[1].className = node.line = line; // else 1,000 styles are computed
  if (node.isOpen !== isOpen) button.ariaExpanded = node.isOpen = isOpen;
  if (!isOpen) detail?.remove();
  else if (!detail) act(showDetail)(node);
  if (view.reveal !== node.key || view.growing) return;
  view.reveal = null;
  button.focus();
  node.scrollIntoView();
}

function reveal(id) {
  if (!model.requests.has(id)) throw new Error("The request is no longer kept.");
  filter("");
  show("all");
  selectTab("requests");
  change({ open: id, reveal: id, held: null });
}

async function showDetail(node) {
  const { id, why } = node.item;
  const panel = h("div.detail", h("p.why", h("b.pill", "Why"), h("span", prose(why))));
  node.append(panel);
  const { request, response, type, copy: code } = await call("GET", `/_sandbox/requests/${id}`);
  const button = (label, onclick) => h("button.button", { onclick }, label);
  panel.append(
    h("div.bodies",
      box("Request", h("code", request.path), request),
      response && box("Response", h("span.pill", `${response.status} ${type}`), response)),
    h("p.actions",
      button("Send again", () => sendAgain(id)),
      button("Copy as Python", () => copy(code.python)),
      button("Copy as curl", () => copy(code.curl)),
      button("Copy as pytest test", () => copy(code.pytest))));
}

function box(title, remark, { headers, body, truncated }) {
  return h("section", { "aria-label": title }, h("h3", title, remark), h("pre.code", { tabindex: 0 },
    coloured(indented(body)), truncated && "\n… truncated", h("span.muted", "\n\n", headers.map((header) => `${header.join(": ")}\n`))));
}

async function sendAgain(id) {
  const sent = await call("POST", `/_sandbox/requests/${id}/replay`);
  toast(`Sent again: ${sent.status ?? "no response,"} ${sent.state}.`, "Show", () => reveal(sent.id));
}

let stream;
let lost;

/** Connect, unless hidden: a browser allows six connections to a host. */
function connect() {
  stream?.close();
  if (document.hidden) return;
  stream = new EventSource(`/_sandbox/events?after=${model.ready ? model.sequence : 0}`);
  stream.onopen = () => model.ready && connection("Live");
  stream.onerror = () => {
    lost ??= Date.now();
    stream.close();
    later("connect", 1000, connect);
    connection(Date.now() - lost < 1e4 ? "Reconnecting…" : "Stopped", lost);
  };
  stream.addEventListener("snapshot", ({ data }) => snapshot(JSON.parse(data)).catch(stream.onerror));
  stream.addEventListener("update", ({ data }) => receive(JSON.parse(data)));
}

function connection(label, since) {
  lost = since;
  if ($("connection").textContent === label) return;
  $("connection").className = `dot ${label.toLowerCase()}`;
  $("connection").textContent = label;
  say(`Connection: ${label}`);
}

function receive({ requests = [], chains = [], ...rest }) {
  Object.assign(model, rest);
  for (const chain of chains) model.chains.set(chain.customer, chain);
  for (const request of requests) {
    model.requests.set(request.id, request);
    if (model.requests.size > KEPT) model.requests.delete(model.requests.keys().next().value);
  }
  arrived += requests.length;
  if (arrived) say("");
  change();
}

/** Replace everything at once. */
async function snapshot(state) {
  model.ready = false;
  model.chains.clear();
  const late = (model.requests = new Map());
  receive(state);
  const { requests } = await call("GET", `/_sandbox/requests?limit=${KEPT}`);
  if (late !== model.requests) return;
  model.requests = new Map([...requests.reverse().map((request) => [request.id, request]), ...late]);
  model.ready = true;
  view.held = null;
  change();
  requestAnimationFrame(() => connection("Live"));
}

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
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select") || !KEYS[key]) return;
  event.preventDefault();
  KEYS[key]();
}

function escape(target) {
  if (target === $("filter")) {
    filter("");
    target.blur();
  } else if (view.open && !target.form) {
    target.closest(".row")?.firstChild.focus();
    change({ open: null });
  }
}

function selectTab(name) {
  document.body.dataset.tab = name;
  press("sections", name);
}

function setTheme(name = localStorage["cutmeshort-theme"] ?? "system") {
  localStorage["cutmeshort-theme"] = document.documentElement.dataset.theme = name;
  $("theme").ariaLabel = $("theme").title = `Theme: ${name}`;
}

const BUTTONS = {
  "copy-host": () => copy(model.url, "CMS_HOST"),
  "copy-token": async () => copy((await full()).token, "the token"),
  "copy-snippet": async () => copy(snippets(await full())[view.snippet]),
  "test-lead": async () => call("POST", "/track/lead", LEAD, { Authorization: `Bearer ${(await full()).token}` }),
  clear,
  theme: () => setTheme({ light: "dark", dark: "system" }[document.documentElement.dataset.theme] ?? "light"),
  "more-chains": () => change({ chains: view.chains + 100 }),
  older: () => change({ rows: view.rows + 100 }),
  new: () => change({ held: null, reveal: view.newest }),
};

$("chips").prepend(...Object.entries(FAULTS).map(([label, fault]) => h("button.chip", { onclick: () => inject(fault) }, icon("bolt"), label)));
for (const [id, action] of Object.entries(BUTTONS)) $(id).onclick = act(action);
$("segments").onclick = ({ target }) => target.value && show(target.value);
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
$("own").onsubmit = act(async (event) => {
  event.preventDefault();
  const values = [...new FormData($("own"))].filter(([, value]) => value);
  await inject(Object.fromEntries(values.map(([name, value]) => [name, value === "on" || Number(value)])));
  $("own").hidePopover();
});
$("settings").onchange = act(patch);
$("filter").oninput = ({ target }) => filter(target.value);
onkeydown = onKey;
document.onvisibilitychange = connect;
const narrow = matchMedia("(max-width: 952px)");
narrow.onchange = () => {
  $("summary").tabIndex = narrow.matches ? 0 : -1; // then it scrolls
  if (narrow.matches) $("footer").prepend($("addresses"));
  else $("connection").after($("addresses"));
};
narrow.onchange();
selectTab("chains");
show("all");
selectSnippet($("tabs").firstElementChild);
connect();
setTheme();
