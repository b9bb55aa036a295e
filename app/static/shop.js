// Comfort on top of pages that work without it.
"use strict";

const search = document.querySelector(".search input");
if (search) suggest(search);
if (location.pathname === "/cart") changeInPlace();

/** A listbox below the search field (WAI-ARIA Authoring Practices, editable combobox). */
function suggest(input) {
  const list = document.createElement("ul");
  set(list, { id: "suggestions", role: "listbox", "aria-label": "Suggestions", hidden: "" });
  set(input, { role: "combobox", autocomplete: "off", "aria-autocomplete": "list",
    "aria-controls": list.id, "aria-expanded": "false" });
  input.after(list);
  let chosen = -1, waiting, asking;

  function show(products) {
    list.replaceChildren(...products.map(option));
    list.hidden = !products.length;
    set(input, { "aria-expanded": !list.hidden });
    choose(-1);
  }
  function option({ slug, name }, place) {
    const made = document.createElement("li");
    set(made, { id: `suggestion-${place}`, role: "option", "data-slug": slug });
    made.textContent = name;
    return made;
  }
  function choose(place) {
    chosen = place;
    [...list.children].forEach((made, at) => set(made, { "aria-selected": at === place }));
    set(input, { "aria-activedescendant": list.children[place]?.id ?? "" });
  }
  function go(made) {
    location.assign(`/products/${encodeURIComponent(made.dataset.slug)}`);
  }
  function close() {
    clearTimeout(waiting);
    asking?.abort();
    show([]);
  }
  async function ask() {
    asking?.abort();
    asking = new AbortController();
    const words = input.value.trim();
    if (words.length < 2) return close();
    try {
      const address = `/api/products?per_page=5&q=${encodeURIComponent(words)}`;
      const answer = await fetch(address, { credentials: "omit", signal: asking.signal });
      if (answer.ok) show((await answer.json()).items);
    } catch { /* overtaken, or offline */ }
  }
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 150);
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const places = list.children.length + 1; // and one where no suggestion is chosen: -1
    if (step && places > 1) choose(((chosen + 1 + step + places) % places) - 1);
    else if (event.key === "Enter" && chosen >= 0) go(list.children[chosen]);
    else if (event.key === "Escape" && places > 1) close();
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", close);
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const made = event.target.closest("li");
    if (made) go(made);
  });
}

/** A form of the cart is sent by itself; of the answer the page takes what has changed. */
function changeInPlace() {
  const UNITS = ".line input[type=number]";
  const said = document.createElement("p");
  set(said, { class: "unseen", role: "status" });
  document.body.append(said);
  const queue = new Set(); // one after the other: the last word counts
  let busy = false;

  async function send() {
    if (busy) return;
    busy = true;
    for (const form of queue) {
      queue.delete(form);
      const input = form.querySelector(UNITS);
      if (input) input.defaultValue = input.value; // typed over later, it is kept
      try {
        const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
        if (!answer.ok) throw new Error(answer.statusText);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!queue.size) show(page);
      } catch {
        return location.assign("/cart"); // the page itself tells
      }
    }
    busy = false;
  }
  function show(page) {
    const focused = document.activeElement?.id;
    const inputs = [...document.querySelectorAll(UNITS)];
    const typed = inputs.filter((input) => input.value !== input.defaultValue);
    for (const part of ["main", ".to-cart"])
      document.querySelector(part).replaceWith(page.querySelector(part));
    for (const { id, value } of typed) (document.getElementById(id) ?? {}).value = value;
    const main = document.querySelector("main");
    main.tabIndex = -1;
    (document.getElementById(focused) ?? main).focus({ preventScroll: true });
    said.textContent = main.querySelector(".note, .sums, .empty p")?.innerText;
  }
  document.addEventListener("change", ({ target }) => {
    if (target.matches(UNITS)) target.form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.closest(".line")) return;
    event.preventDefault();
    queue.add(event.target);
    send();
  });
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
