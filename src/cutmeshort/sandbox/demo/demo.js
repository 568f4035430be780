const $ = (id) => document.getElementById(id);
const [click, lead, sale] = document.forms;
const shop = JSON.parse(sessionStorage.shop ?? '{"link":"Q7f"}');

/** Show source text in colours. */
function show(card, source) {
  card.querySelector("pre").replaceChildren(...source.split(/("[^"]*"|'(?:[^'\\]|\\.)*'|click_id\.read|to_minor_units|cms_rf)/).map((part, index) => {
    const span = document.createElement("span");
    span.textContent = part;
    if (index % 2) span.className = /\w/.test(part[0]) ? "literal" : "string";
    return span;
  }));
}

function note(card, text, state) {
  card.note.value = text;
  card.note.className = state;
}

function update() {
  sessionStorage.shop = JSON.stringify(shop);
  lead.customer.value = shop.customer;
  $("follow").href = `/s/${shop.link}`;
  $("url").textContent = $("follow").href;
  $("confirm").hidden = shop.deferred !== shop.customer;
}

async function submit(event) {
  event.preventDefault();
  const card = event.target, { name, value } = event.submitter, { customer } = shop;
  if (card.ariaBusy) return;
  card.ariaBusy = "true";
  if (name === "new") shop.invoice++;
  const body = JSON.stringify({
    customer,
    deferred: card === sale ? shop.deferred === customer : name === "deferred",
    invoice: `inv_${shop.invoice}`,
    amount: sale.amount.value,
    currency: sale.currency.value,
  });
  try {
    const response = await fetch(`/demo/${value}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const { hash, result, source, state, text, error } = await response.json();
    if (hash) shop.link = hash;
    else note(card, text ?? error, state);
    if (source) show(card, source);
    if (state === "pending") shop.deferred = customer;
    if (name === "new") $("again").disabled = !result;
  } catch {
    note(card, "✕ The sandbox does not respond.", "failed");
  }
  card.ariaBusy = null;
  update();
}

document.documentElement.dataset.theme = localStorage["cutmeshort-theme"] ?? "";
for (const card of document.forms) {
  card.onsubmit = submit;
  show(card, card.querySelector("pre").textContent);
}
lead.customer.oninput = () => {
  shop.customer = lead.customer.value;
  update();
};

const arrival = /cms_rf=([\w-]{1,255})$/.exec(location)?.[1];
if (arrival || !shop.invoice) {
  shop.invoice = Date.now() % 1e5;
  shop.customer = `user_${shop.invoice}`;
}
if (arrival) {
  document.cookie = `cms_rf=${arrival}; path=/; samesite=lax`;
  history.replaceState(null, "", "/demo");
  show(click, `302 → /demo?cms_rf=${arrival}`);
  note(click, `✓ Recorded: ${arrival}. Continue with step 2.`, "recorded");
}
update();
