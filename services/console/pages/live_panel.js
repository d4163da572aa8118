// A part of a page whose HTML comes from the server. New HTML is merged into what is there, so
// focus, selection and scroll position survive; numbers marked data-live glow when they change.

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || null : null;
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

function merge(existing, wanted) {
  if (existing.nodeType !== Node.ELEMENT_NODE) {
    if (existing.nodeValue !== wanted.nodeValue) existing.nodeValue = wanted.nodeValue;
    return;
  }
  const before = existing.dataset.live === undefined ? null : existing.textContent;
  mergeAttributes(existing, wanted);
  // What a person is typing, and what the browser itself writes into times, is left alone.
  // (Buttons have a value too, but nobody types into them.)
  if (existing.localName === "lt-time" || (existing === document.activeElement && existing.matches("input, select, textarea"))) return;
  mergeChildren(existing, wanted);
  if (before !== null && before !== existing.textContent) glow(existing);
}

function mergeChildren(existing, wanted) {
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
      existing.insertBefore(child.cloneNode(true), place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else existing.insertBefore(found, place);
    merge(found, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function parsed(html, tag) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const root = document.createElement(tag);
  root.append(holder.content);
  return root;
}

export default {
  template: `<component :is="tag" @click="act" @input="type" @change="type"></component>`,
  props: { html: String, tag: String, revision: Number },
  data: () => ({ shown: -1 }),
  mounted() {
    this.show();
  },
  updated() {
    this.show();
  },
  methods: {
    show() {
      if (this.shown === this.revision) return;
      if (this.shown < 0) this.$el.innerHTML = this.html;
      else mergeChildren(this.$el, parsed(this.html, this.tag));
      this.shown = this.revision;
    },
    // Replaces single elements by their id; ids that are not on the page are left out.
    patch(parts) {
      for (const [id, html] of Object.entries(parts)) {
        const existing = document.getElementById(id);
        if (!existing || !this.$el.contains(existing)) continue;
        merge(existing, parsed(html, "div").firstElementChild);
      }
    },
    act(event) {
      const target = event.target.closest("[data-act]");
      if (target && !target.disabled) this.$emit("act", target.dataset.act);
    },
    type(event) {
      const { name, value } = event.target;
      if (name) this.$emit("field", { name, value });
    },
  },
};
