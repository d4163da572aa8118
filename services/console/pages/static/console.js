// Small things that only the browser knows: the viewer's zone and clock, and what they prefer.

(() => {
  const YEAR_SECONDS = 31_536_000;
  const read = (name) => document.cookie.match(`(?:^|; )${name}=([^;]*)`)?.[1];
  const write = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`;
  };

  // Theme: the viewer's choice, else the system's, before anything is painted.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const applyTheme = () => {
    const chosen = read("lowtide_theme");
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
  };
  applyTheme();
  dark.addEventListener("change", applyTheme);

  document.addEventListener("click", (event) => {
    const language = event.target.closest("[data-language]");
    if (language) {
      write("lowtide_language", language.dataset.language);
      location.reload();
    }
    if (event.target.closest("[data-theme-switch]")) {
      const current = document.documentElement.dataset.theme;
      write("lowtide_theme", current === "dark" ? "light" : "dark");
      applyTheme();
    }
  });

  // What stands in a field, by its id: to the clipboard, or selected where there is none.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      if (!document.execCommand("copy")) return;
    }
    const words = button.textContent;
    if (words === button.dataset.copied) return; // it says so still
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = words), 2000);
  });

  // Times: <lt-time at="…Z" form="ago|at|on|day"> in the viewer's zone and language, kept true.
  const UNITS = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ];
  const language = () => document.documentElement.lang || "zh-CN";
  const formats = new Map();
  const format = (kind, make) => {
    const key = `${language()} ${kind}`;
    if (!formats.has(key)) formats.set(key, make(language()));
    return formats.get(key);
  };
  const ago = (instant) => {
    const relative = format(
      "relative",
      (tag) => new Intl.RelativeTimeFormat(tag, { numeric: "auto", style: "short" }),
    );
    const seconds = (instant - Date.now()) / 1000;
    for (const [unit, length] of UNITS) {
      if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
    }
    return relative.format(0, "second");
  };
  const at = (instant) => {
    const today = new Date().toDateString() === instant.toDateString();
    const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    const day = { month: "2-digit", day: "2-digit" };
    return format(
      today ? "time" : "date",
      (tag) => new Intl.DateTimeFormat(tag, today ? options : { ...day, ...options }),
    ).format(instant);
  };
  const on = (instant) =>
    format(
      "day",
      (tag) => new Intl.DateTimeFormat(tag, { month: "short", day: "numeric" }),
    ).format(instant);
  // An instant that ends a day stands for that day.
  const day = (instant) => on(new Date(instant.getTime() - 1));
  const FORMS = { ago, at, on, day };
  const full = (instant) =>
    format(
      "full",
      (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "long" }),
    ).format(instant);

  class Time extends HTMLElement {
    static observedAttributes = ["at", "form"];

    connectedCallback() {
      this.show();
    }

    attributeChangedCallback() {
      this.show();
    }

    show() {
      const instant = new Date(this.getAttribute("at"));
      if (Number.isNaN(instant.getTime())) return;
      const text = (FORMS[this.getAttribute("form")] ?? at)(instant);
      if (this.textContent !== text) this.textContent = text;
      const title = full(instant);
      if (this.title !== title) this.title = title;
    }
  }
  customElements.define("lt-time", Time);
  setInterval(() => {
    for (const time of document.querySelectorAll('lt-time[form="ago"]')) time.show();
  }, 1000);
})();
