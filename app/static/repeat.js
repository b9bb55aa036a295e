// Sends a form again until its work is done: the page that comes back has the form again, or not.
// Without this script people press its button.
"use strict";

const form = document.querySelector("form[data-repeats]");
if (form) repeat(form);

async function repeat(form) {
  const fields = new FormData(form);
  fields.set("by_script", "1");
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body: fields, redirect: "manual" });
  } catch { /* offline: the page says so */ }
  if (answer?.type === "opaqueredirect") location.reload();
  else setTimeout(() => location.reload(), 2000); // refused for now, or not reached
}
