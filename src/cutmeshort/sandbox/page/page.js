/*
 * The sandbox's page. It shows the state that the event stream sends, and changes it only through
 * the JSON endpoints. Text from the outside enters the document as text nodes, never as markup.
 */

const KEPT = 1000; // requests that the sandbox keeps
const QUIET = 5000; // milliseconds between two announcements to a screen reader
const STOPPED = 10000; // milliseconds without a connection until the page says "Stopped"

// What the sandbox sent.
const model = { chains: new Map(), requests: [] };
// What the reader chose. `held` is the newest request on the page while later ones wait.
const view = { query: "", show: "all", rows: 50, chains: 20, open: null, held: null, reveal: null, scrolled: false };

/* ---- Elements ---- */

const $ = (id) => document.getElementById(id);

/** Make an element. A property sets an attribute if the element has no property of that name. */
function h(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const icon = (name, className = "icon") =>
  svg("svg", { class: className, "aria-hidden": "true" }, svg("use", { href: `#${name}` }));

/** Show text in which `backticks` mark code. */
const prose = (text) =>
  text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : h("bdi", {}, part)));

/** Give a parent these children, moving only those that are not in place. */
function place(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstChild;
  for (const node of nodes) {
    if (node === next) next = next.nextSibling;
    // moveBefore, where there is one, keeps the focus inside the moved element.
    else if (node.parentNode === parent && parent.moveBefore) parent.moveBefore(node, next);
    else parent.insertBefore(node, next);
  }
}

/** Show a list of items, and keep the elements of those that were shown before. */
function list(parent, items, key, make) {
  const old = new Map([...parent.children].map((node) => [node.key, node]));
  const nodes = items.map((item) => {
    const name = key(item);
    const node = old.get(name) ?? make(item);
    old.delete(name);
    node.key = name;
    return node;
  });
  place(parent, nodes);
  return nodes;
}

/* ---- Text of values ---- */

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const count = new Intl.NumberFormat();
const currencies = new Map();

function time(text) {
  return h("time", { dateTime: text, title: text }, clock.format(new Date(text)));
}

function plural(number, one, many = `${one}s`) {
  return `${count.format(number)} ${number === 1 ? one : many}`;
}

/** Format an amount without a division, so that each digit is exact. */
function money({ amount, currency, exponent }) {
  const digits = BigInt(amount).toString().padStart((exponent ?? 0) + 1, "0");
  if (exponent === null) return `${count.format(digits)} ${currency}`;
  const decimal = exponent ? `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}` : digits;
  try {
    const key = `${currency} ${exponent}`;
    if (!currencies.has(key)) {
      const fraction = { minimumFractionDigits: exponent, maximumFractionDigits: exponent };
      currencies.set(key, new Intl.NumberFormat(undefined, { style: "currency", currency, ...fraction }));
    }
    return currencies.get(key).format(decimal);
  } catch {
    return `${decimal} ${currency}`; // not a code of three letters
  }
}

function elapsed(milliseconds) {
  const units = [[86400000, "d", 2], [3600000, "h", 1], [60000, "min", 1], [1000, "s", 1]];
  const [unit, name] = units.find(([size, , least]) => milliseconds >= size * least) ?? [1, "ms"];
  return `${Math.round(milliseconds / unit)} ${name}`;
}

const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/* ---- Code with colours ---- */

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;
const CODE_TOKEN = /(#.*)|("[^"\n]*"|'[^']*')|\b(from|import|def|assert|export|print)\b/g;

/** Indent JSON, and colour it. The tokens stay as they were sent, also numbers that JavaScript rounds. */
function json(text) {
  try {
    JSON.parse(text);
  } catch {
    return [text];
  }
  const tokens = text.match(JSON_TOKEN) ?? [];
  if (tokens.length > 3000) return [text];
  let depth = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, 30))}`;
  return tokens.flatMap((token, index) => {
    if ("{[".includes(token)) {
      depth += 1;
      return "}]".includes(tokens[index + 1]) ? [token] : [token, line()];
    }
    if ("}]".includes(token)) {
      depth -= 1;
      return "{[".includes(tokens[index - 1]) ? [token] : [line(), token];
    }
    if (token === ",") return [token, line()];
    if (token === ":") return ": ";
    const name = token[0] !== '"' ? "literal" : tokens[index + 1] === ":" ? "key" : "string";
    return h("span", { class: name }, token);
  });
}

/** Colour the comments, strings and keywords of a snippet. */
function coloured(text) {
  return text.split(CODE_TOKEN).map((part, index) => {
    const name = [null, "comment", "string", "key"][index % 4];
    return part && name ? h("span", { class: name }, part) : part ?? "";
  });
}

/* ---- Requests to the sandbox ---- */

async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: method === "GET" ? {} : { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  }).catch(() => {
    throw new Error("The sandbox does not respond.");
  });
  const data = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(data.error ?? `The sandbox responded with ${response.status}.`);
  return data;
}

/** Make an event handler of an async function; a failure is shown to the reader. */
const handler = (action) => (event) => action(event).catch((error) => toast(error.message));

const token = async () =>
  model.token_masked ? (await call("GET", "/_sandbox/state?include_token=true")).token : model.token;

/* ---- Messages ---- */

let spoken = -QUIET;
let speech = 0;
const unspoken = new Map();

/** Announce a message, at most one every five seconds; a topic's later message replaces its earlier one. */
function announce(topic, message) {
  unspoken.set(topic, message);
  clearTimeout(speech);
  speech = setTimeout(() => {
    $("live").textContent = [...unspoken.values()].join(" ");
    unspoken.clear();
    arrived.clear();
    spoken = performance.now();
  }, Math.max(50, spoken + QUIET - performance.now()));
}

const arrived = new Map();

function announceArrivals(requests) {
  for (const { state } of requests) arrived.set(state, (arrived.get(state) ?? 0) + 1);
  const parts = [...arrived].map(([state, number]) => `${number} ${state}`);
  if (parts.length) announce("arrivals", `New requests: ${parts.join(", ")}.`);
}

let toastTimer = 0;

/** Show a message at the bottom of the window, with a button if there is an action. */
function toast(message, label, action, milliseconds = 6000) {
  const [text, button] = $("toast").children;
  text.textContent = message;
  button.textContent = label ?? "";
  button.hidden = !label;
  button.onclick = handler(async () => {
    $("toast").hidden = true;
    await action();
  });
  $("toast").hidden = false;
  announce("toast", label ? `${message} ${label} is at the end of the page.` : message);
  clearTimeout(toastTimer);
  const hide = () => {
    // Do not take it away from a reader who is about to press the button.
    if ($("toast").matches(":hover, :focus-within")) toastTimer = setTimeout(hide, 2000);
    else $("toast").hidden = true;
  };
  toastTimer = setTimeout(hide, milliseconds);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text); // an address that is not secure, or no permission
  }
  toast(`Copied ${what}.`);
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const area = h("textarea", { class: "hidden", value: text });
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  if (!copied) throw new Error("The browser does not allow this page to copy.");
}

/* ---- Rendering: at most once a frame, and only the parts that changed ---- */

const parts = {
  url: renderAddress, totals: renderTotals, revenue: renderRevenue, hints: renderHints, chains: renderChains,
  requests: renderRequests, faults: renderQueue, settings: renderSettings, undo: renderUndo,
};
const dirty = new Set();
let frame = 0;

function change(...names) {
  for (const name of names) dirty.add(name);
  frame ||= requestAnimationFrame(render);
}

function render() {
  frame = 0;
  if (!model.totals) return;
  const names = [...dirty];
  dirty.clear();
  for (const name of names) parts[name]?.();
}

/* ---- Top bar, footer and the empty state ---- */

const SNIPPETS = {
  Shell: (url, secret) => `# Point your application at this sandbox
export CMS_HOST=${url}
export CMS_BEARER_TOKEN=${secret}

# Start it, or send a first lead
python -c 'from cutmeshort import CMSClient
print(CMSClient().track_lead("Sign up", "user_1", "click_1"))'`,
  Python: (url, secret) => `from cutmeshort import CMSClient

client = CMSClient("${secret}", host="${url}")
result = client.track_lead("Sign up", "user_1", click_id="click_1")
print(result)`,
  pytest: (url, secret) => `# The fixture cms_sandbox starts a sandbox of its own;
# this test sends its events here, where you can see them
from cutmeshort import CMSClient

def test_sign_up(monkeypatch):
    monkeypatch.setenv("CMS_HOST", "${url}")
    monkeypatch.setenv("CMS_BEARER_TOKEN", "${secret}")
    result = CMSClient().track_lead("Sign up", "user_1", "click_1")
    assert result["success"]`,
  curl: (url, secret) => `curl ${url}/track/lead \\
  -H "Authorization: Bearer ${secret}" \\
  -H "Content-Type: application/json" \\
  -d '{"eventName": "Sign up", "customerExternalId": "user_1",
       "clickId": "click_1"}'`,
};
let snippet = "Shell";

function renderAddress() {
  $("host").textContent = model.url;
  $("token").textContent = model.token;
  $("storage").replaceChildren(
    ...(model.data ? ["Stored in ", h("code", {}, model.data), ": "] : ["In memory: "]),
    `the newest ${count.format(KEPT)} requests. Nothing leaves this machine.`,
  );
  showSnippet(snippet);
}

function showSnippet(name) {
  snippet = name;
  for (const tab of $("tabs").children) {
    tab.ariaSelected = String(tab.textContent === name);
    tab.tabIndex = tab.textContent === name ? 0 : -1;
  }
  $("snippet").replaceChildren(...coloured(SNIPPETS[name](model.url, model.token)));
  $("snippet").setAttribute("aria-labelledby", `tab-${name}`);
}

function buildTabs() {
  const names = Object.keys(SNIPPETS);
  const tab = (name) => h("button", {
    id: `tab-${name}`, role: "tab", "aria-controls": "snippet", onclick: () => showSnippet(name),
  }, name);
  $("tabs").append(...names.map(tab));
  $("tabs").onkeydown = ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    showSnippet(names[(names.indexOf(snippet) + step + names.length) % names.length]);
    $(`tab-${snippet}`).focus();
  };
}

async function sendTestLead() {
  const response = await fetch("/track/lead", {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${await token()}` },
    body: JSON.stringify({ eventName: "Sign up", customerExternalId: "user_1", clickId: "click_1" }),
  });
  if (!response.ok) toast(`The sandbox responded with ${response.status}: see the request for the reason.`);
  $("main").focus();
}

function renderUndo() {
  $("undo").hidden = !model.undo;
}

async function clear() {
  await call("POST", "/_sandbox/clear");
  toast("Cleared all requests and events.", "Undo", undo, 30000);
}

async function undo() {
  await call("POST", "/_sandbox/undo");
  $("toast").hidden = true;
  announce("toast", "The requests and events are back.");
  $("main").focus();
}

/* ---- Summary ---- */

let rateTimer = 0;

function renderTotals() {
  const { totals } = model;
  const empty = !totals.requests.total && !totals.clicks;
  $("empty").hidden = !empty;
  for (const id of ["summary", "attribution", "requests"]) $(id).hidden = empty;
  renderFunnel(totals);
  renderCounts(totals.requests);
  renderLimit(totals.rate_limit);
  change("requests");
}

function renderFunnel({ clicks, leads, sales, sales_after_lead: followed }) {
  const most = Math.max(clicks, leads, sales, 1);
  const stage = (name, number, next, after) => {
    const node = h("div", { class: `stage ${name}` },
      h("p", {}, h("b", {}, count.format(number)), ` ${number === 1 ? name : `${name}s`}`), h("i", { class: "bar" }));
    node.style.setProperty("--from", number / most);
    if (next) {
      node.style.setProperty("--to", after / most);
      node.append(h("i", { class: `band to-${next}` }), h("i", { class: "lost" }));
      if (number > after) node.append(h("span", { class: "not-yet" }, `${count.format(number - after)} not yet`));
      if (number) {
        const rate = `${Math.round((100 * after) / number)}%`;
        node.append(h("span", { class: "rate", title: `${rate} of the ${name}s led to a ${next}` }, rate));
      }
    }
    return node;
  };
  $("funnel").replaceChildren(
    stage("click", clicks, "lead", leads), stage("lead", leads, "sale", followed), stage("sale", sales));
}

function renderCounts({ recorded, pending, duplicate, refused, failed }) {
  const rows = [
    ["recorded", "recorded", recorded + pending, pending ? `${pending} pending` : ""],
    ["duplicate", "duplicates", duplicate, "recorded once"],
    ["refused", "refused", refused, "invalid"],
    ["failed", "failed", failed, "on purpose"],
  ];
  $("counts").replaceChildren(...rows.map(([state, label, number, note]) => h("li", { class: state },
    h("span", { class: "pill" }, icon(state)), h("span", {}, label), h("span", { class: "muted" }, note),
    h("b", {}, count.format(number)))));
}

function renderLimit({ limit, used }) {
  clearTimeout(rateTimer);
  // The window is one minute: without another request, all of them have left it by then.
  if (used) rateTimer = setTimeout(() => {
    model.totals.rate_limit.used = 0;
    change("totals");
  }, 60000);
  const label = h("p", {}, h("span", {}, "Rate limit"),
    h("span", { class: "muted" }, limit === null ? "off" : `${used} of ${limit} this minute`));
  const meter = h("div", {
    class: `meter ${used < limit ? "recorded" : "failed"}`, role: "meter", "aria-label": "Rate limit",
    "aria-valuemin": 0, "aria-valuemax": limit ?? 0, "aria-valuenow": used, hidden: limit === null,
  }, h("i"));
  meter.firstChild.style.width = `${Math.min(100, (100 * used) / (limit || 1))}%`;
  $("limit").replaceChildren(label, meter);
}

function renderRevenue() {
  const row = (entry) => h("li", {},
    h("b", {}, money(entry)), sparkline(entry.steps), h("span", { class: "muted" }, plural(entry.sales, "sale")));
  list($("revenue"), model.revenue, JSON.stringify, row);
  if (!model.revenue.length) $("revenue").replaceChildren(h("li", { class: "muted" }, "No sales yet."));
  $("revenue").tabIndex = model.revenue.length > 4 ? 0 : -1; // then it scrolls
}

/** Draw the cumulative revenue as a step line. */
function sparkline(steps) {
  const top = Math.max(...steps, 1);
  const width = 100 / (steps.length + 1);
  const line = steps.map((value, index) => `H${(index + 1) * width}V${27 - (25 * value) / top}`).join("");
  return svg("svg", { class: "sparkline", viewBox: "0 0 100 28", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "area", d: `M0 27${line}H100V27Z` }), svg("path", { d: `M0 27${line}H100` }));
}

/* ---- Attribution ---- */

function renderHints() {
  const box = $("hints");
  box.hidden = !model.hints.length;
  box.querySelector("summary span").textContent = `${plural(model.hints.length, "thing")} to check`;
  list(box.querySelector("ul"), model.hints, JSON.stringify, (hint) => h("li", {}, h("span", {}, ...prose(hint.text)), hintButton(hint)));
}

function hintButton({ request, customer }) {
  if (request) return h("button", { class: "link", onclick: () => reveal(request) }, "Show request");
  if (customer) return h("button", { class: "link", onclick: () => filter(customer) }, "Show customer");
  return null;
}

/** Search text of a chain or a request, made once. */
function found(item) {
  if (!view.query) return true;
  item.text ??= [item, ...(item.steps ?? [])]
    .flatMap((part) => [part.customer, part.event, part.click, part.invoice, part.link])
    .filter(Boolean).join("\n").toLowerCase();
  return item.text.includes(view.query);
}

function filter(text) {
  $("filter").value = text;
  view.query = text.trim().toLowerCase();
  view.held = null;
  change("chains", "requests");
}

function renderChains() {
  const all = [...model.chains.values()];
  const chains = all.filter(found).sort((a, b) => (a.last_activity < b.last_activity ? 1 : -1));
  const budget = { chains: 10 };
  const known = new Set([...$("chains").children].map((node) => node.key));
  const shown = chains.slice(0, view.chains).filter((chain) => known.has(chain.customer) || budget.chains-- > 0);
  if (budget.chains < 0) change("chains"); // the rest in the next frames
  const nodes = list($("chains"), shown, (chain) => chain.customer, makeChain);
  nodes.forEach((node, index) => fillChain(node, shown[index]));
  $("chains").classList.toggle("with-deferred", shown.some((chain) => chain.deferred));
  $("customers").textContent = view.query ? `${chains.length} of ${plural(all.length, "customer")}` : plural(all.length, "customer");
  $("no-chains").hidden = chains.length > 0;
  $("no-chains").textContent = view.query ? "No customer matches the filter." : "No lead or sale is recorded yet.";
  $("more-chains").hidden = chains.length <= view.chains;
  $("more-chains").textContent = plural(chains.length - view.chains, "more customer");
}

function makeChain({ customer }) {
  const copyTest = handler(async () => {
    const chain = await call("GET", `/_sandbox/chain?customer=${encodeURIComponent(customer)}`);
    await copy(chain.copy.pytest, "the pytest test");
  });
  return h("article", { class: "chain" },
    h("header", {}, h("h3", { class: "mono" }, h("bdi", {}, customer)), h("span", { class: "state" }),
      h("button", { class: "button quiet copy-test", "aria-label": `Copy as pytest test: ${customer}`, onclick: copyTest }, icon("copy"), "Copy as pytest test"),
      h("p", { class: "sum" })),
    h("p", { class: "muted earlier" }), h("ol", { class: "steps" }));
}

function fillChain(node, chain) {
  if (node.chain === chain) return;
  node.chain = chain;
  const [header, earlier, steps] = node.children;
  const state = chain.waiting ? "Waiting" : chain.deferred ? "Deferred" : "";
  header.querySelector(".state").replaceChildren(state && h("span", { class: "tag dashed lead" }, state));
  header.querySelector(".sum").replaceChildren(...chain.revenue.map((entry) => h("span", {}, money(entry))));
  earlier.hidden = !chain.earlier;
  earlier.textContent = `${plural(chain.earlier, "earlier step")} not shown`;
  const pairs = chain.steps.map((step, index) => [step, chain.steps[index + 1], index]);
  list(steps, pairs, JSON.stringify, ([step, next, index]) => makeStep(step, next, index));
}

function makeStep(step, next, index) {
  const node = h("li", { class: `step ${step.type}` }, icon(step.type, "node"));
  const [name, ...notes] = stepText(step);
  if (next) node.append(h("i", { class: next.type === "awaited" || step.type === "deferred" ? "gap dotted" : "gap" }, gapText(step, next)));
  node.append(step.request
    ? h("button", { class: "name", title: "Show the request", onclick: () => reveal(step.request) }, h("bdi", {}, name))
    : h("strong", { class: "name" }, h("bdi", {}, name)));
  for (const note of notes.filter(Boolean)) node.append(h("bdi", { class: "note", title: note }, note));
  if (step.time) node.append(time(step.time));
  if (next && !index) node.classList.add(...skipped(step, next));
  return node;
}

/** The columns that a chain's first step leaves empty, so that leads and sales line up. */
function skipped({ type }, next) {
  if (type === "click" && next.type === "lead") return ["skip-deferred"];
  if (type === "click" && next.type === "sale") return ["skip-deferred", "skip-lead"];
  return ["skip-none"];
}

function stepText(step) {
  const sent = step.sent_click ? "click id sent" : "no click id sent";
  switch (step.type) {
    case "click": return [step.click, step.link];
    case "deferred": return [step.event, "deferred"];
    case "lead": return [step.event, sent];
    case "sale": return [money(step), `${step.event} · ${step.invoice}`];
    default: return ["Waiting for a follow-up", "the next event of the customer, without a click id"];
  }
}

function gapText(step, next) {
  const milliseconds = Date.parse(next.time) - Date.parse(step.time);
  return milliseconds >= 0 ? elapsed(milliseconds) : "";
}

/* ---- Break the next request ---- */

const FAULTS = {
  "429, retry after 30 s": { status: 429, retry_after: 30 },
  503: { status: 503 },
  "503 × 4": { status: 503, times: 4 },
  drop: { drop: true },
  "record, then drop": { drop: true, recorded: true },
  "5 s late": { latency: 5 },
};

function buildChips() {
  const names = ["503", ...Object.keys(FAULTS).filter((name) => name !== "503")];
  $("chips").append(
    ...names.map((name) => h("button", { class: "chip", onclick: handler(() => inject(FAULTS[name])) }, icon("bolt"), name)),
    h("button", { class: "chip own-chip", "aria-label": "Your own values", title: "Your own values", "aria-expanded": "false", "aria-controls": "own", onclick: toggleOwn }, "…"));
}

const inject = (fault) => call("POST", "/_sandbox/faults", fault);

function toggleOwn() {
  const form = $("own");
  form.hidden = !form.hidden;
  $("chips").lastChild.ariaExpanded = String(!form.hidden);
  (form.hidden ? $("chips").lastChild : form.elements[0]).focus();
}

async function injectOwn(event) {
  event.preventDefault();
  const fault = {};
  for (const { name, type, value, checked } of $("own").elements) {
    if (type === "number" && value) fault[name] = Number(value);
    if (type === "checkbox" && checked) fault[name] = true;
  }
  await inject(fault);
}

function renderQueue() {
  const { outage, faults, settings } = model;
  const label = ({ label, times }) => (times > 1 ? `${label} × ${times}` : label);
  const tokens = faults.map((fault) => [fault.id, label(fault)]);
  const after = outage ? `then ${outage.label} until the outage ends`
    : settings.error_status ? `then ${settings.error_status} for every request`
      : faults.length ? "then normal responses" : "normal responses. No fault is queued.";
  const items = [["next", "Next:"], ...tokens, ["after", after]];
  list($("queue"), items, JSON.stringify, ([id, text]) => (typeof id === "number" ? queueToken(id, text) : h("span", { class: "muted" }, text)));
}

function queueToken(id, text) {
  const remove = async ({ currentTarget }) => {
    const next = currentTarget.parentNode.nextSibling?.querySelector("button") ?? $("chips").firstChild;
    await call("DELETE", `/_sandbox/faults?id=${id}`);
    next.focus();
  };
  return h("span", { class: "queued failed" }, text,
    h("button", { "aria-label": `Remove ${text}`, onclick: handler(remove) }, icon("close")));
}

const RESPONSES = {
  Recorded: ["message", "timestamp", "status_text", "status_ok", "flat", "empty"],
  Rejected: ["success_false", "status_false", "status_error", "html", "list"],
};

function buildSettings() {
  for (const group of $("settings").elements.response.children) {
    group.append(...RESPONSES[group.label].map((name) => h("option", {}, name)));
  }
  $("settings").onchange = handler(({ target: { name, value, checked } }) => call("PATCH", "/_sandbox/settings", {
    [name]: { duplicate_status: Number(value), response: value, rate_limit: checked ? 60 : null }[name],
  }));
}

function renderSettings() {
  const { duplicate_status: duplicates, response, rate_limit: limit } = model.settings;
  const { elements } = $("settings");
  elements.duplicate_status.value = duplicates;
  elements.response.value = response;
  elements.rate_limit.checked = limit !== null;
  elements.rate_limit.nextElementSibling.textContent = plural(limit ?? 60, "request a minute", "requests a minute");
  change("faults");
}

/* ---- Requests ---- */

const FILTERS = { All: "all", Refused: "refused", Failed: "failed" };

function buildSegments() {
  $("segments").append(...Object.entries(FILTERS).map(([label, state]) =>
    h("button", { value: state, ariaPressed: String(state === view.show), onclick: () => show(state) }, label)));
}

function show(state) {
  view.show = state;
  view.held = null;
  for (const button of $("segments").children) button.ariaPressed = String(button.value === state);
  change("requests");
}

/** Which requests the list shows now, and how many wait above them. */
function visibleRequests() {
  const matching = model.requests.filter((request) => found(request) && ["all", request.state].includes(view.show));
  if (!view.open && !view.scrolled) view.held = null;
  else view.held ??= $("rows").firstChild?.key ?? null;
  const waiting = view.held ? Math.max(0, matching.findIndex(({ id }) => id === view.held)) : 0;
  return { matching, waiting, requests: matching.slice(waiting) };
}

function renderRequests() {
  const { matching, waiting, requests } = visibleRequests();
  const known = new Set([...$("rows").children].map((node) => node.key));
  let budget = 50; // new rows in one frame
  const shown = requests.slice(0, view.rows).filter(({ id }) => known.has(id) || budget-- > 0);
  if (budget < 0) change("requests");
  const nodes = list($("rows"), shown, ({ id }) => id, makeRow);
  const lines = rails(shown);
  nodes.forEach((node, index) => fillRow(node, shown[index], lines[index]));
  const total = count.format(model.totals.requests.total);
  $("total").textContent = matching.length < model.requests.length ? `${count.format(matching.length)} of ${total}` : total;
  $("new").hidden = !waiting;
  $("new").textContent = plural(waiting, "new request");
  $("older").hidden = requests.length <= view.rows;
  $("older").textContent = `${count.format(requests.length - view.rows)} older`;
  $("no-requests").hidden = matching.length > 0;
  $("no-requests").textContent = model.requests.length ? "No request matches." : "No requests yet.";
  finishReveal();
}

/**
 * The lines that join the attempts of each call, as a graph with up to three lanes: a request
 * between two attempts of another call stands in the lane beside their line.
 */
function rails(requests) {
  const last = new Map(requests.map(({ call }, index) => [call, index]));
  const lanes = [null, null, null];
  return requests.map(({ call }, index) => {
    const joined = lanes.indexOf(call);
    const free = lanes.indexOf(null);
    const lane = joined >= 0 ? joined : free >= 0 ? free : 2;
    const lines = joined >= 0 ? [`up lane-${lane}`] : [];
    lanes.forEach((other, number) => {
      if (other && number !== lane) lines.push(`up down lane-${number}`);
    });
    if (joined >= 0 || free >= 0) lanes[lane] = last.get(call) > index ? call : null;
    if (lanes[lane] === call) lines.push(`down lane-${lane}`);
    return [`dot lane-${lane}`, ...lines];
  });
}

function makeRow({ id }) {
  return h("li", { class: "row" },
    h("button", { class: "row-button", ariaExpanded: "false", "aria-controls": `detail-${id}`, onclick: () => toggle(id) },
      h("span", { class: "time mono" }), h("span", { class: "rail", ariaHidden: "true" }),
      h("span", { class: "what" }), h("span", { class: "result" }), h("span", { class: "duration" })));
}

/** Bring a row up to date; nothing is touched if neither the request nor its lines changed. */
function fillRow(node, request, lines) {
  const [button] = node.children;
  const [when, rail, what, result, took] = button.children;
  const graph = lines.join();
  if (node.graph !== graph) {
    node.graph = graph;
    rail.replaceChildren(...lines.map((line) => h("i", { class: line })));
  }
  const open = view.open === request.id;
  if (node.request !== request) {
    node.request = request;
    node.className = `row ${request.state}${request.status === null ? " hollow" : ""}`;
    when.replaceChildren(time(request.time));
    what.replaceChildren(h("bdi", { class: "event" }, request.event ?? operationName(request)), subtitle(request));
    result.replaceChildren(pill(request));
    took.textContent = duration(request.duration_ms);
    if (open && node.children[1]) loadDetail(node);
  }
  if (open !== (button.ariaExpanded === "true")) {
    button.ariaExpanded = String(open);
    if (open) loadDetail(node);
    else node.children[1]?.remove();
  }
}

const operationName = ({ operation }) => ({ track_lead: "Lead", track_sale: "Sale" }[operation] ?? operation ?? "Request");

function subtitle(request) {
  const retried = request.attempt > 1 || model.requests.some(({ call, id }) => call === request.id && id !== call);
  const notes = [
    request.customer, request.invoice, request.amount === null || !request.currency ? null : money(request),
    retried && `attempt ${request.attempt}`, request.replay_of && "sent again", request.fault,
    request.state === "pending" && "deferred",
  ].filter(Boolean);
  return h("span", { class: "notes" }, ...notes.flatMap((note, index) => [index ? " · " : "", h("bdi", {}, note)]));
}

function pill({ state, status }) {
  return h("span", { class: "pill" }, icon(state), status === null ? "no response" : `${status} ${state}`);
}

function toggle(id) {
  view.open = view.open === id ? null : id;
  change("requests");
}

function reveal(id) {
  const index = model.requests.findIndex((request) => request.id === id);
  if (index < 0) return toast("The sandbox no longer keeps this request.");
  if (!found(model.requests[index])) filter("");
  show("all");
  selectTab("requests");
  view.rows = Math.max(view.rows, index + 1);
  view.open = view.reveal = id;
  change("requests");
}

/** Scroll to the request to be shown, once its row exists. */
function finishReveal() {
  const row = view.reveal && [...$("rows").children].find((node) => node.key === view.reveal);
  if (!row) return;
  view.reveal = null;
  row.firstChild.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/* ---- An open request ---- */

async function loadDetail(node) {
  const { request } = node;
  const why = h("p", { class: "why" }, h("b", { class: "pill" }, "Why"), h("span", {}, ...prose(request.why)));
  const panel = h("div", { class: "detail", id: `detail-${request.id}` }, why);
  if (node.children[1]) node.children[1].replaceWith(panel);
  else node.append(panel);
  try {
    const detail = await call("GET", `/_sandbox/requests/${request.id}`);
    panel.append(h("div", { class: "bodies" }, requestBox(detail.request), responseBox(detail)), actions(detail));
  } catch (error) {
    panel.append(h("p", { class: "muted" }, error.message));
  }
}

const headerLines = (headers) => headers.map(([name, value]) => `${name}: ${value}\n`).join("");

function box(title, note, head, body, truncated) {
  return h("section", { class: "box" },
    h("h4", {}, title, note),
    h("pre", { class: "code", tabIndex: 0, ariaLabel: title },
      h("span", { class: "comment" }, head), ...(body ? ["\n", ...json(body)] : []), truncated ? h("span", { class: "comment" }, "\n… truncated") : null));
}

function requestBox({ method, path, headers, body, truncated }) {
  return box("Request", null, `${method} ${path}\n${headerLines(headers)}`, body, truncated);
}

function responseBox({ response, status, state, type }) {
  if (!response) return box("Response", pill({ state, status }), "The connection was closed without a response.\n");
  const note = h("span", { class: "pill" }, `${response.status} ${type}`);
  return box("Response", note, headerLines(response.headers), response.body, response.truncated);
}

function actions({ id, copy: { python, curl, pytest } }) {
  const button = (label, action) => h("button", { class: "button", onclick: handler(action) }, label);
  return h("p", { class: "actions" },
    button("Send again", () => sendAgain(id)),
    button("Copy as Python", () => copy(python, "the Python code")),
    button("Copy as curl", () => copy(curl, "the curl command")),
    button("Copy as pytest test", () => copy(pytest, "the pytest test")));
}

async function sendAgain(id) {
  const { id: sent, state, status } = await call("POST", `/_sandbox/requests/${id}/replay`);
  toast(`Sent again: ${status ?? "no response,"} ${state}.`, "Show", async () => reveal(sent));
}

/* ---- The event stream ---- */

let stream = null;
let retry = 0;
let lost = null;

function connect() {
  disconnect();
  if (document.hidden) return;
  stream = new EventSource(`/_sandbox/events${model.sequence ? `?after=${model.sequence}` : ""}`);
  stream.onopen = () => {
    lost = null;
    connection("live", "Live");
  };
  // The page reconnects, not the browser: it would wait longer, and give up after some errors.
  stream.onerror = () => {
    lost ??= Date.now();
    if (Date.now() - lost < STOPPED) connection("reconnecting", "Reconnecting…");
    else connection("stopped", "Stopped");
    disconnect();
    retry = setTimeout(connect, 1000);
  };
  stream.addEventListener("snapshot", ({ data }) => receiveSnapshot(JSON.parse(data)));
  stream.addEventListener("update", ({ data }) => receive(JSON.parse(data)));
}

function disconnect() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
}

function connection(state, label) {
  if ($("connection").dataset.state === state) return;
  $("connection").dataset.state = state;
  $("connection").textContent = label;
  announce("connection", `Connection: ${label}.`);
}

/** Take over what an update has; a snapshot has everything except the requests. */
function receive({ requests = [], chains = [], ...rest }) {
  Object.assign(model, rest);
  for (const chain of chains) model.chains.set(chain.customer, chain);
  if (chains.length) change("chains");
  const added = merge(requests);
  if (requests.length) change("requests");
  announceArrivals(added);
  change(...Object.keys(rest));
}

/** Replace the requests that the page knows, and put the others on top. Returns these. */
function merge(requests) {
  const places = new Map(model.requests.map(({ id }, index) => [id, index]));
  const added = [];
  for (const request of requests) {
    if (places.has(request.id)) model.requests[places.get(request.id)] = request;
    else added.push(request);
  }
  model.requests = [...added.toReversed(), ...model.requests].slice(0, KEPT);
  return added;
}

let snapshots = 0;

async function receiveSnapshot(state) {
  snapshots += 1;
  const number = snapshots;
  model.chains.clear();
  const before = new Set(model.requests.map(({ id }) => id));
  receive({ ...state, chains: state.chains });
  change("chains");
  const { requests } = await call("GET", `/_sandbox/requests?limit=${KEPT}`);
  if (number !== snapshots) return;
  // Updates may have arrived in the meantime; they are newer than the list.
  const later = model.requests.filter(({ id }) => !before.has(id));
  model.requests = requests;
  merge(later.toReversed());
  view.held = null;
  if (!model.requests.some(({ id }) => id === view.open)) view.open = null;
  change("requests");
}

/* ---- Keys, tabs and the theme ---- */

const KEYS = {
  "/": () => {
    selectTab("chains");
    $("filter").focus();
  },
  j: () => moveFocus(1),
  k: () => moveFocus(-1),
  c: handler(clear),
};

function moveFocus(step) {
  selectTab("requests");
  const buttons = [...$("rows").children].map((row) => row.firstChild);
  const row = document.activeElement.closest(".row");
  const from = row ? buttons.indexOf(row.firstChild) : step > 0 ? -1 : buttons.length;
  const button = buttons[Math.max(0, Math.min(buttons.length - 1, from + step))];
  button?.focus();
  button?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") return escape(event.target);
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("requests").hidden) return;
  if (!Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key](event);
}

/** Esc leaves the innermost: the filter, the form for a fault, then the open request. */
function escape(target) {
  if (target === $("filter")) {
    filter("");
    target.blur();
  } else if ($("own").contains(target)) toggleOwn();
  else if (view.open) {
    const row = [...$("rows").children].find((node) => node.key === view.open);
    if (row?.contains(document.activeElement)) row.firstChild.focus();
    toggle(view.open);
  }
}

function selectTab(name) {
  document.body.dataset.tab = name;
  for (const button of $("sections").children) {
    if (button.dataset.tab === name) button.ariaCurrent = "true";
    else button.removeAttribute("aria-current");
  }
  onScroll();
}

function onScroll() {
  const scrolled = $("rows").getBoundingClientRect().top < 0;
  if (scrolled === view.scrolled) return;
  view.scrolled = scrolled;
  change("requests");
}

const THEMES = ["system", "light", "dark"];
const THEME = "cutmeshort-theme";

/** Browsers may forbid the storage; the theme is then kept until the page is closed. */
function storedTheme() {
  try {
    return localStorage.getItem(THEME);
  } catch {
    return null;
  }
}

function setTheme(name) {
  const theme = THEMES.includes(name) ? name : "system";
  document.documentElement.dataset.theme = theme;
  const label = `Theme: ${theme}`;
  Object.assign($("theme"), { ariaLabel: label, title: label });
  $("theme").firstElementChild.firstElementChild.setAttribute("href", `#theme-${theme}`);
  try {
    localStorage.setItem(THEME, theme);
  } catch {
    // see storedTheme
  }
}

/* ---- Start ---- */

function build() {
  buildTabs();
  buildChips();
  buildSettings();
  buildSegments();
  setTheme(storedTheme());
  selectTab("chains");
}

function listen() {
  const click = (id, action) => $(id).addEventListener("click", handler(async () => action()));
  click("copy-host", () => copy(model.url, "CMS_HOST"));
  click("copy-token", async () => copy(await token(), "the token"));
  click("copy-snippet", async () => copy(SNIPPETS[snippet](model.url, await token()), "the snippet"));
  click("test-lead", sendTestLead);
  click("clear", clear);
  click("undo", undo);
  click("theme", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % 3]));
  click("more-chains", () => more("chains", 50));
  click("older", () => more("rows", 100));
  click("new", showNew);
  $("own").onsubmit = handler(injectOwn);
  $("filter").oninput = () => filter($("filter").value);
  for (const button of $("sections").children) {
    button.onclick = () => {
      selectTab(button.dataset.tab);
      scrollTo(0, 0);
    };
  }
  addEventListener("keydown", onKey);
  addEventListener("scroll", onScroll, { passive: true });
  document.addEventListener("visibilitychange", connect);
}

function more(part, number) {
  view[part] += number;
  change("chains", "requests");
}

/** Show the waiting requests; later ones wait again if a request is still open. */
function showNew() {
  view.reveal = view.held = visibleRequests().matching[0].id;
  change("requests");
}

build();
listen();
connect();
