(() => {
  "use strict";
  const REACH = 36; // pixels between pointer and line or point

  const corners = (path) =>
    (path.getAttribute("d").match(/-?[\d.]+(?:e-?\d+)?,-?[\d.]+(?:e-?\d+)?/g) || [])
      .map((pair) => pair.split(",").map(Number));

  const enliven = (figure) => {
    const traces = JSON.parse(figure.querySelector("script").textContent);
    const lines = [...figure.querySelectorAll("path[data-trace]")]
      .map((path) => ({ path, trace: traces[path.dataset.trace], corners: corners(path) }))
      .filter((line) => line.trace && line.trace.points.length === line.corners.length);
    const dots = [...figure.querySelectorAll("path[data-point]")]
      .map((path) => ({ path, trace: traces[path.dataset.point], corners: [[0, 0]] }))
      .filter((dot) => dot.trace);
    const shown = [...lines, ...dots];
    const tip = document.createElement("div");
    tip.className = "als-tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    const first = document.createElement("strong");
    const second = document.createElement("span");
    tip.append(first, second);
    figure.append(tip);
    let lit = null;

    // A run stands in several panels; all its points are lit together.
    const light = (trace, on) => shown.forEach((each) => {
      if (each.trace === trace) each.path.classList.toggle("als-lit", on);
    });

    const words = ({ trace, at }) => {
      if (trace.text) return trace.text;
      const [sweep, value] = trace.points[at];
      return `sweep ${sweep}: ${trace.measure} ${value}`;
    };

    const put = (found) => {
      if (lit && (!found || lit !== found.trace)) light(lit, false);
      tip.hidden = !found;
      if (!found) { lit = null; return; }
      lit = found.trace;
      light(lit, true);
      first.textContent = found.trace.label;
      second.textContent = words(found);
      const box = figure.getBoundingClientRect();
      const left = found.x - box.left, top = found.y - box.top;
      const room = box.width - tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(left + 12, room))}px`;
      tip.style.top = `${Math.max(0, top - tip.offsetHeight - 12)}px`;
    };

    const nearest = (event) => {
      let found = null, least = REACH * REACH;
      for (const { path, trace, corners } of shown) {
        if (!path.ownerSVGElement.clientWidth) continue; // the drawing for the other page width
        const matrix = path.getScreenCTM();
        corners.forEach(([a, b], at) => {
          const x = matrix.a * a + matrix.e, y = matrix.d * b + matrix.f;
          const distance = (x - event.clientX) ** 2 + (y - event.clientY) ** 2;
          if (distance < least) {
            least = distance;
            found = { path, trace, at, x, y };
          }
        });
      }
      return found;
    };

    let waiting = false;
    figure.addEventListener("pointermove", (event) => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; put(nearest(event)); });
    });
    figure.addEventListener("pointerdown", (event) => put(nearest(event)));
    figure.addEventListener("pointerleave", () => put(null));
  };

  document.querySelectorAll(".als-figure").forEach(enliven);
  addEventListener("beforeprint", () =>
    document.querySelectorAll("details").forEach((details) => { details.open = true; }));
})();
