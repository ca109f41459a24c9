// What the pages do beyond htmx: copy a text, walk through the steps of an interleaving.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  }
  const slider = document.getElementById("step");
  const row = event.target.closest("tr[data-step]");
  const link = event.target.closest("[data-move]");
  if (slider && (row || link)) {
    event.preventDefault();
    goTo(slider, row ? Number(row.dataset.step) : Number(slider.value) + Number(link.dataset.move));
  }
});

document.addEventListener("keydown", (event) => {
  const slider = document.getElementById("step");
  const moves = { ArrowRight: 1, ArrowLeft: -1, n: 1, p: -1 };
  const typing = event.target.closest("input:not([type=range]), textarea, select");
  if (!slider || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === slider || !(event.key in moves)) return;
  event.preventDefault();
  goTo(slider, Number(slider.value) + moves[event.key]);
});

function goTo(slider, step) {
  slider.value = Math.min(Number(slider.max), Math.max(0, step));
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}

function markStep(slider) {
  for (const row of document.querySelectorAll("tr.now")) row.classList.remove("now");
  const row = document.getElementById(`step-${slider.value}`);
  if (row) row.classList.add("now");
}

document.addEventListener("input", (event) => {
  if (event.target.id === "step") markStep(event.target);
});

document.addEventListener("DOMContentLoaded", () => {
  const slider = document.getElementById("step");
  if (slider) markStep(slider);
});
