// Updates the page in place after a pick, with the parts that the server rendered.
import { base, combobox } from "./combobox.js";

const input = document.getElementById("lookup");

async function show(address, { kept = true } = {}) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    return location.assign(address);
  }
  if (!answer.ok) return location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["tried", "carried"]) {
    document.getElementById(id).replaceWith(page.getElementById(id));
  }
  if (kept) history.pushState(null, "", address);
  document.getElementById("said").textContent = document.getElementById("tried").dataset.said;
}

function picked() {
  const carried = document.querySelectorAll("#carried [name=picked]");
  return [...carried].map(({ value }) => decodeURIComponent(value));
}

combobox(input, (item) => {
  input.value = "";
  const query = [...picked(), item.item].map((id) => ["item", id]);
  for (const kept of document.querySelectorAll("#carried :not([name=picked])")) query.push([kept.name, kept.value]);
  show(`${base}/try?${new URLSearchParams(query)}`);
}, { model: input.form.dataset.model });

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-stay]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link.href).then(() => input.focus({ preventScroll: true }));
});

addEventListener("popstate", () => show(location.href, { kept: false }));
