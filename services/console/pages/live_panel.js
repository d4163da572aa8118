// A part of a page whose HTML comes from the server. New HTML is merged into what is there, so
// focus, selection and scroll position survive; numbers marked data-live glow when they change.

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  // Of a form with a field named "id", `form.id` is that field.
  return node.getAttribute("id") || node.getAttribute("data-key");
}

function fits(existing, wanted) {
  return (
    existing &&
    existing.nodeType === wanted.nodeType &&
    existing.nodeName === wanted.nodeName &&
    keyOf(existing) === keyOf(wanted)
  );
}

function mergeAttributes(existing, wanted) {
  for (const { name } of [...existing.attributes]) {
    // Whether details are open is the viewer's to say.
    if (name === "open" && existing.localName === "details") continue;
    if (!wanted.hasAttribute(name)) existing.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (existing.getAttribute(name) !== value) existing.setAttribute(name, value);
  }
}

function glow(element) {
  if (CALM.matches) return;
  element.animate([{ backgroundColor: "var(--glow)" }, { backgroundColor: "transparent" }], {
    duration: 1100,
    easing: "ease-out",
  });
}

// What a field shows once somebody has typed into it is no attribute any more.
function fill(existing, wanted) {
  if (existing.type === "file") return;
  if (existing.type === "checkbox" || existing.type === "radio") {
    existing.checked = wanted.checked;
    return;
  }
  const { until, from, at } = wanted.dataset;
  let { value } = wanted;
  if (until !== undefined) value = dayOf(until, -1);
  if (from !== undefined) value = dayOf(from);
  if (at !== undefined) value = minuteOf(at);
  if (existing.value !== value) existing.value = value;
}

// Days are the viewer's own: a day stands for the instant at which it is over, or begins.
function dayOf(instant, later = 0) {
  if (!instant) return "";
  const day = new Date(new Date(instant).getTime() + later);
  const part = (number) => String(number).padStart(2, "0");
  return `${day.getFullYear()}-${part(day.getMonth() + 1)}-${part(day.getDate())}`;
}

function minuteOf(instant) {
  return instant && `${dayOf(instant)}T${new Date(instant).toTimeString().slice(0, 5)}`;
}

function midnight(day, later = 0) {
  if (!day) return "";
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

const FIELDS = "input, select, textarea";

// Ticks are not typed; and a group may have lost its tick to a sibling meanwhile.
function isTypedInto(field) {
  return field === document.activeElement && !["checkbox", "radio"].includes(field.type);
}

// `isAhead` says of a field whether the server has yet to hear what it says here.
function merge(existing, wanted, isAhead) {
  if (existing.nodeType !== Node.ELEMENT_NODE) {
    if (existing.nodeValue !== wanted.nodeValue) existing.nodeValue = wanted.nodeValue;
    return;
  }
  const before = existing.dataset.live === undefined ? null : existing.textContent;
  mergeAttributes(existing, wanted);
  // What a person is typing, and what the browser itself writes into times, is left alone.
  // (Buttons have a value too, but nobody types into them.)
  const isField = existing.matches(FIELDS);
  if (existing.localName === "lt-time") return;
  if (isField && (isTypedInto(existing) || isAhead(existing))) return;
  mergeChildren(existing, wanted, isAhead);
  if (isField) fill(existing, wanted);
  if (before !== null && before !== existing.textContent) glow(existing);
}

function mergeChildren(existing, wanted, isAhead) {
  const keyed = new Map();
  for (const child of existing.childNodes) {
    const key = keyOf(child);
    if (key) keyed.set(key, child);
  }
  let place = existing.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = keyOf(child);
    let found = key ? keyed.get(key) : place;
    while (!key && found && keyOf(found)) found = found.nextSibling;
    if (!fits(found, child)) {
      existing.insertBefore(fresh(child), place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else existing.insertBefore(found, place);
    merge(found, child, isAhead);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// What is moved to another place loses the focus on its way.
function keepingFocus(change) {
  const focused = document.activeElement;
  change();
  if (focused !== document.activeElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
}

function fresh(node) {
  const made = node.cloneNode(true);
  if (made.nodeType === Node.ELEMENT_NODE) showDays(made);
  return made;
}

function showDays(root) {
  for (const field of root.querySelectorAll("[data-until], [data-from], [data-at]")) fill(field, field);
}

// What the server is told of a field, except of a file.
function valueOf(field) {
  const { until, from, at } = field.dataset;
  if (field.type === "checkbox") return field.checked ? "yes" : "";
  if (until !== undefined) return midnight(field.value, 1);
  if (from !== undefined) return midnight(field.value);
  if (at !== undefined) return field.value && new Date(field.value).toISOString();
  return field.value;
}

// Larger ones do not fit into a message of the socket.
const LARGEST_FILE_BYTES = 800_000;

async function textOf(file) {
  if (!file || file.size > LARGEST_FILE_BYTES) return "";
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // A Chinese spreadsheet program saves CSV so, unless it is told otherwise.
    return new TextDecoder("gb18030").decode(bytes);
  }
}

function parsed(html, tag) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const root = document.createElement(tag);
  root.append(holder.content);
  return root;
}

// A browser may forbid the storage, and a full one takes no more: then a tab just keeps nothing.
function keptInTab(name) {
  try {
    return sessionStorage.getItem(name) || "";
  } catch {
    return "";
  }
}

function keepInTab(name, text) {
  try {
    if (text) sessionStorage.setItem(name, text);
    else sessionStorage.removeItem(name);
  } catch {
    // What is typed is still in the form; what was kept before would pass for it after a reload.
    if (text) keepInTab(name, "");
  }
}

export default {
  template: `<component :is="tag" @click="act" @input="type" @change="type" @submit="submit"></component>`,
  props: { html: String, tag: String, revision: Number, heard: Number, recalls: String, kept: Object },
  data: () => ({ shown: -1, said: 0 }),
  created() {
    this.lastSaid = new Map();
    this.pressed = "";
  },
  mounted() {
    this.show();
    if (this.recalls) this.$emit("recall", keptInTab(this.recalls));
  },
  updated() {
    this.show();
    this.keep();
  },
  methods: {
    show() {
      if (this.shown === this.revision) return;
      if (this.shown < 0) {
        this.$el.innerHTML = this.html;
        showDays(this.$el);
      } else {
        const wanted = parsed(this.html, this.tag);
        keepingFocus(() => mergeChildren(this.$el, wanted, this.isAheadOf(this.heard)));
      }
      this.shown = this.revision;
    },
    // The tab has it, so that it outlives a reload, a session and the server.
    keep() {
      for (const [name, text] of Object.entries(this.kept)) {
        keepInTab(name, text);
      }
    },
    // HTML that was made before the server heard of a field has that field's former value.
    isAheadOf(heard) {
      return (field) => this.lastSaid.get(field.name) > heard;
    },
    // A line that broke may have lost some of what was said: whatever the server has not heard of,
    // if it is still there, and then the act that it has held back.
    sayAgain(heard, act) {
      const order = (field) => this.lastSaid.get(field.name);
      [...this.$el.querySelectorAll(FIELDS)]
        .filter(this.isAheadOf(heard))
        .filter((field) => field.type !== "file" && (field.type !== "radio" || field.checked))
        .sort((one, other) => order(one) - order(other))
        .forEach((field) => this.say(field, valueOf(field), true));
      if (act) this.$emit("act", { act, before: this.said, isAgain: true });
    },
    // Replaces single elements by their id; ids that are not on the page are left out.
    patch(parts, heard) {
      for (const [id, html] of Object.entries(parts)) {
        const existing = document.getElementById(id);
        if (!existing || !this.$el.contains(existing)) continue;
        merge(existing, parsed(html, "div").firstElementChild, this.isAheadOf(heard));
      }
    },
    // A form with an address of its own is the browser's; all others are only acts.
    submit(event) {
      if (!event.target.hasAttribute("action")) event.preventDefault();
    },
    act(event) {
      const target = event.target.closest("[data-act]");
      const act = target && !target.disabled ? target.dataset.act : "";
      // The second click of a double one is meant for what the first one found there.
      if (event.detail < 2) this.pressed = act;
      if (!act || act !== this.pressed) return;
      this.$emit("act", { act, before: this.said, isAgain: false });
    },
    async type(event) {
      const field = event.target;
      if (!field.name) return;
      if (field.type !== "file") this.say(field, valueOf(field), false);
      else if (event.type === "change") {
        const text = await textOf(field.files[0]);
        field.value = "";
        this.say(field, text, false);
      }
    },
    // Each input is told with how many there were before it, so that the server misses what is lost.
    say(field, value, isAgain) {
      this.$emit("field", { name: field.name, value, before: this.said, isAgain });
      this.said += 1;
      this.lastSaid.set(field.name, this.said);
    },
    // Takes a person on to what they asked for, or to what is wrong.
    point(selector) {
      this.$nextTick(() => this.$el.querySelector(selector)?.focus());
    },
  },
};
