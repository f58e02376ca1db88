// The catalogue as points on a canvas.
import { base, combobox } from "./combobox.js";

const REACH = 14; // pixels from a point within which it is meant
const MOST_WHILE_MOVING = 40000;
const DEEPEST = 400; // times the scale at which all is seen
const PAUSE = 60; // milliseconds over a point before its name is asked for

const frame = document.getElementById("map");
const canvas = frame.querySelector("canvas");
const hint = frame.querySelector(".hint");
const panel = document.getElementById("chosen");
const pen = canvas.getContext("2d");
const from = frame.dataset.from;

let points = new Float32Array(0); // x and y of each row
let likes = new Uint32Array(0);
let order = []; // rows, the most liked first
let named = []; // [row, name] of the most liked
let view = { x: 0, y: 0, scale: 1 };
let whole = view;
let size = { width: 1, height: 1 };
let chosen = null; // as the server sends it, with `near`
let over = -1;
let moving = 0;
let due = false;
const known = new Map(); // row -> what the server sent

const across = (row) => (points[2 * row] - view.x) * view.scale + size.width / 2;
const down = (row) => size.height / 2 - (points[2 * row + 1] - view.y) * view.scale;

function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

function radius(row) {
  const zoom = Math.min(2, 1 + Math.log2(view.scale / whole.scale) / 5);
  return (1.1 + 3 * Math.sqrt(likes[row] / (likes[order[0]] || 1))) * zoom;
}

function draw() {
  due = false;
  const colour = colours();
  const ratio = devicePixelRatio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, size.width, size.height);
  pen.fillStyle = colour("accent");
  // Many points lie upon each other: fainter ones leave shapes to be seen.
  pen.globalAlpha = (chosen ? 0.28 : 0.55) * Math.min(1, Math.sqrt(8000 / order.length));
  const most = moving ? Math.min(order.length, MOST_WHILE_MOVING) : order.length;
  for (let place = 0; place < most; place += 1) {
    const row = order[place];
    const x = across(row);
    const y = down(row);
    if (x < -5 || y < -5 || x > size.width + 5 || y > size.height + 5) continue;
    const r = radius(row);
    if (r < 2) {
      pen.fillRect(x - r, y - r, 2 * r, 2 * r);
    } else {
      pen.beginPath();
      pen.arc(x, y, r, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
  const taken = [];
  if (chosen) drawChosen(colour, taken);
  for (const [row, name] of named) label(row, name, colour, taken, false);
  if (over >= 0) ring(over, colour("ink"));
}

function drawChosen(colour, taken) {
  pen.strokeStyle = colour("accent");
  pen.lineWidth = 1;
  for (const { row } of chosen.near) {
    pen.beginPath();
    pen.moveTo(across(chosen.row), down(chosen.row));
    pen.lineTo(across(row), down(row));
    pen.stroke();
  }
  for (const { row } of [chosen, ...chosen.near]) {
    pen.fillStyle = colour("accent");
    pen.beginPath();
    pen.arc(across(row), down(row), row === chosen.row ? 6 : 4, 0, 2 * Math.PI);
    pen.fill();
  }
  for (const { row, name } of [chosen, ...chosen.near]) {
    label(row, name, colour, taken, true, row === chosen.row);
  }
}

function ring(row, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(across(row), down(row), radius(row) + 3, 0, 2 * Math.PI);
  pen.stroke();
}

function label(row, name, colour, taken, strong, first = false) {
  const x = across(row);
  const y = down(row);
  if (x < 0 || y < 0 || x > size.width || y > size.height) return;
  const text = name.length > 28 ? `${name.slice(0, 27)}…` : name;
  pen.font = `${strong ? 600 : 400} ${strong ? 13 : 12}px system-ui, sans-serif`;
  const width = pen.measureText(text).width;
  const left = x + 8 + width > size.width ? x - 8 - width : x + 8;
  const box = [left - 3, y - 9, left + width + 3, y + 9];
  const meets = ([l, t, r, b]) => box[0] < r && l < box[2] && box[1] < b && t < box[3];
  if (!first && taken.some(meets)) return;
  taken.push(box);
  pen.lineJoin = "round";
  pen.lineWidth = 3.5;
  pen.strokeStyle = colour("paper");
  pen.strokeText(text, left, y + 4);
  pen.fillStyle = strong ? colour("ink") : colour("muted");
  pen.fillText(text, left, y + 4);
}

function redraw() {
  if (!due) requestAnimationFrame(draw);
  due = true;
}

// While it moves, a huge catalogue shows its most liked; all of it when it rests.
function move(next) {
  const scale = Math.max(whole.scale * 0.8, Math.min(next.scale, whole.scale * DEEPEST));
  view = { ...next, scale };
  clearTimeout(moving);
  moving = setTimeout(() => { moving = 0; redraw(); }, 150);
  redraw();
}

function zoom(factor, x = size.width / 2, y = size.height / 2) {
  const scale = Math.max(whole.scale * 0.8, Math.min(view.scale * factor, whole.scale * DEEPEST));
  // The place under the pointer stays there.
  const grown = 1 / view.scale - 1 / scale;
  move({
    x: view.x + (x - size.width / 2) * grown,
    y: view.y - (y - size.height / 2) * grown,
    scale,
  });
}

function pan(x, y) {
  move({ ...view, x: view.x - x / view.scale, y: view.y + y / view.scale });
}

function fit() {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 0; at < points.length; at += 2) {
    left = Math.min(left, points[at]);
    right = Math.max(right, points[at]);
    low = Math.min(low, points[at + 1]);
    high = Math.max(high, points[at + 1]);
  }
  if (!points.length) return;
  const room = Math.min(
    (size.width - 40) / Math.max(right - left, 1e-6),
    (size.height - 40) / Math.max(high - low, 1e-6),
  );
  whole = { x: (left + right) / 2, y: (low + high) / 2, scale: Math.min(room, 1e6) };
}

function nearest(x, y, reach = REACH) {
  let best = -1;
  let least = reach * reach;
  for (const row of order) {
    const apart = (across(row) - x) ** 2 + (down(row) - y) ** 2;
    if (apart < least) [best, least] = [row, apart];
  }
  return best;
}

async function tell(query) {
  const answer = await fetch(`${base}/map/item/${from}?${new URLSearchParams(query)}`);
  if (!answer.ok) return null;
  const item = await answer.json();
  for (const one of [item, ...item.near]) known.set(one.row, { ...known.get(one.row), ...one });
  return item;
}

function words(count) {
  return count === 1 ? "1 like" : `${count.toLocaleString("en")} likes`;
}

function made(tag, text, more = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...more });
}

let asking = 0;

function hover(x, y) {
  const row = nearest(x, y);
  if (row !== over) {
    over = row;
    clearTimeout(asking);
    if (row >= 0 && !known.has(row)) {
      asking = setTimeout(() => tell({ row }).then(() => { if (over === row) say(x, y); }), PAUSE);
    }
    redraw();
  }
  say(x, y);
}

function say(x, y) {
  const item = known.get(over);
  hint.hidden = !item;
  if (!item) return;
  hint.replaceChildren(made("bdi", item.name), made("small", words(item.likes)));
  const left = Math.max(0, Math.min(x + 14, size.width - hint.offsetWidth - 4));
  const top = y + 18 + hint.offsetHeight > size.height ? y - hint.offsetHeight - 10 : y + 18;
  hint.style.transform = `translate(${left}px, ${top}px)`;
}

async function choose(query, { centre = false } = {}) {
  const item = await tell(query);
  if (!item) return;
  chosen = item;
  if (centre) {
    move({ x: points[2 * item.row], y: points[2 * item.row + 1], scale: Math.max(view.scale, 3 * whole.scale) });
  }
  const head = made("h2", "");
  const link = made("a", "", { href: item.address });
  link.append(made("bdi", item.name));
  head.append(link);
  const near = made("ul", "", { className: "chips" });
  for (const one of item.near) {
    const button = made("button", "", { type: "button" });
    button.append(made("bdi", one.name));
    button.addEventListener("click", () => choose({ row: one.row }, { centre: true }));
    near.append(made("li", ""));
    near.lastChild.append(button);
  }
  panel.replaceChildren(head, made("p", item.near.length
    ? `${words(item.likes)}. Its neighbours in the model:`
    : `${words(item.likes)}. No similar items.`), near);
  redraw();
}

function chooseMiddle() {
  const row = nearest(size.width / 2, size.height / 2, Infinity);
  if (row >= 0) choose({ row }, { centre: true });
}

const pointers = new Map(); // by id, where each is pressed
let travelled = 0;

const place = (event) => {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
};

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, place(event));
  travelled = 0;
});

canvas.addEventListener("pointermove", (event) => {
  const now = place(event);
  const before = pointers.get(event.pointerId);
  if (!before) return hover(now.x, now.y);
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  if (other) {
    const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
    // What lay between the two fingers stays between them, whichever of them moves.
    zoom(apart(now) / apart(before), (before.x + other.x) / 2, (before.y + other.y) / 2);
    pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  } else {
    pan(now.x - before.x, now.y - before.y);
  }
  travelled += Math.hypot(now.x - before.x, now.y - before.y);
  pointers.set(event.pointerId, now);
});

canvas.addEventListener("pointerup", (event) => {
  const { x, y } = place(event);
  if (pointers.delete(event.pointerId) && travelled < 5) {
    const row = nearest(x, y);
    if (row >= 0) choose({ row });
  }
});

canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));

canvas.addEventListener("pointerleave", () => {
  over = -1;
  hint.hidden = true;
  redraw();
});

canvas.addEventListener("wheel", (event) => {
  // Where all is seen already, the wheel scrolls the page.
  if (event.deltaY > 0 && view.scale <= whole.scale) return;
  event.preventDefault();
  const { x, y } = place(event);
  zoom(Math.exp(-event.deltaY / (event.deltaMode ? 20 : 400)), x, y);
}, { passive: false });

canvas.addEventListener("keydown", (event) => {
  const step = 60;
  const act = {
    ArrowLeft: () => pan(step, 0),
    ArrowRight: () => pan(-step, 0),
    ArrowUp: () => pan(0, step),
    ArrowDown: () => pan(0, -step),
    "+": () => zoom(1.5),
    "=": () => zoom(1.5),
    "-": () => zoom(1 / 1.5),
    0: () => move(whole),
    Enter: chooseMiddle,
  }[event.key];
  if (!act || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  act();
});

frame.querySelector(".tools").addEventListener("click", ({ target }) => {
  const factor = Number(target.dataset.zoom);
  if (factor) zoom(factor);
  else if (target.dataset.zoom) move(whole);
});

const lookup = document.getElementById("lookup");
lookup.form.addEventListener("submit", (event) => event.preventDefault());
combobox(lookup, (item) => {
  lookup.value = item.name || item.item;
  choose({ id: item.item }, { centre: true });
}, { model: frame.dataset.model });

function resize() {
  size = { width: canvas.clientWidth, height: canvas.clientHeight };
  canvas.width = Math.round(size.width * devicePixelRatio);
  canvas.height = Math.round(size.height * devicePixelRatio);
  const all = view.scale === whole.scale;
  fit();
  if (all) view = whole;
  redraw();
}

async function begin() {
  frame.hidden = false;
  const [places, names] = await Promise.all([
    fetch(`${base}/map/points/${from}`).then((answer) => answer.arrayBuffer()),
    fetch(`${base}/map/names/${from}`).then((answer) => answer.json()),
  ]);
  const count = places.byteLength / 12;
  points = new Float32Array(places, 0, 2 * count);
  likes = new Uint32Array(places, 8 * count, count);
  order = Array.from({ length: count }, (_, row) => row).sort((a, b) => likes[b] - likes[a]);
  named = names;
  resize();
  view = whole;
  new ResizeObserver(resize).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  if (frame.dataset.chosen) await choose({ row: frame.dataset.chosen }, { centre: true });
  frame.dataset.ready = "true";
}

begin();
