(() => {
  const signs = ["pointerdown", "touchstart", "wheel", "keydown"];
  const tell = (event) => {
    if (!event.isTrusted) return;
    for (const sign of signs) removeEventListener(sign, tell);
    navigator.sendBeacon(`${location.pathname}/opened${location.search}`);
  };
  for (const sign of signs) addEventListener(sign, tell, { passive: true });
})();
