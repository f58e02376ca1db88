// Suggests items while typing: the combobox pattern of the ARIA authoring practices.
const PAUSE = 70; // milliseconds after the last key before it searches
const MOST = 8;

// Path under which the service is reached: this file is below it, in static/.
export const base = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

export function pageOf(id) {
  // As item_cards.address: ids that a path cannot carry go into the query.
  const coded = encodeURIComponent(id);
  return /^\.*$/.test(id) || id.includes("\n") ? `${base}/item?id=${coded}` : `${base}/items/${coded}`;
}

export function combobox(input, choose, { model } = {}) {
  const list = document.createElement("ul");
  list.id = `${input.id}-found`;
  list.className = "found";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Items found");
  input.form.append(list);
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list",
  })) input.setAttribute(name, value);

  let items = [];
  let active = -1;
  let waiting = 0;
  let asked = new AbortController();

  function close() {
    clearTimeout(waiting);
    asked.abort();
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function point(place) {
    active = place;
    [...list.children].forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === active));
    });
    if (active < 0) return input.removeAttribute("aria-activedescendant");
    const option = list.children[active];
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  function take(place) {
    const item = items[place];
    close();
    choose(item);
  }

  function show(found) {
    items = found;
    list.replaceChildren(...found.map((item, at) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${at}`;
      option.setAttribute("role", "option");
      const what = document.createElement("bdi");
      what.className = "what";
      what.textContent = item.name || item.item;
      const note = document.createElement("span");
      note.className = "note";
      note.textContent = item.likes === 1 ? "1 like" : `${item.likes.toLocaleString("en")} likes`;
      option.append(what, note);
      option.addEventListener("click", () => take(at));
      return option;
    }));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    point(-1);
  }

  async function ask() {
    asked.abort();
    asked = new AbortController();
    const query = input.value.trim();
    if (!query) return close();
    try {
      const asking = new URLSearchParams({ q: query, limit: MOST, ...(model && { model }) });
      const address = `${base}/api/v1/items?${asking}`;
      const answer = await fetch(address, { signal: asked.signal });
      // When rate limited, the list stays until the next key.
      if (answer.ok) show((await answer.json()).items);
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.isComposing) return;
    if (step && list.hidden) {
      ask();
    } else if (step) {
      const count = items.length + 1; // one place for "none": what was typed
      point((active + 1 + step + count) % count - 1);
    } else if (event.key === "Enter" && active >= 0) {
      take(active);
    } else if (event.key === "Escape" && !list.hidden) {
      close();
    } else {
      return;
    }
    event.preventDefault();
  });
  // A press would take the focus, and so close the list, before it becomes a click.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  input.addEventListener("blur", close);
}
