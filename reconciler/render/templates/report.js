"use strict";
(() => {
const table = document.getElementById("rows");
if (!table) return;
const body = table.tBodies[0];
const text = (row, i) => row.cells[i].textContent.trim();
const number = (word) => parseFloat(word.replace("\u2212", "-"));
const unknown = -1e9;
const compare = (numbers, a, b) => {
if (!numbers) return a.localeCompare(b);
const x = number(a), y = number(b);
return (Number.isNaN(x) ? unknown : x) - (Number.isNaN(y) ? unknown : y);
};
[...table.tHead.rows[0].cells].forEach((head, i) => {
if (head.hasAttribute("data-plain")) return;
const button = document.createElement("button");
button.type = "button";
button.textContent = head.textContent;
head.replaceChildren(button);
button.addEventListener("click", () => {
const up = head.getAttribute("aria-sort") !== "ascending";
for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
head.setAttribute("aria-sort", up ? "ascending" : "descending");
const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(head.classList.contains("num"), text(a, i), text(b, i)));
body.append(...rows);
});
});
// a story stands below the whole row: below its tallest cell, whose height only the browser knows
for (const why of body.querySelectorAll("details")) why.addEventListener("toggle", () => {
const story = why.querySelector(".story");
story.hidden = true;
const cell = why.closest("td").getBoundingClientRect(), summary = why.firstElementChild.getBoundingClientRect();
story.hidden = false;
story.style.marginTop = Math.max(cell.bottom - summary.bottom, 0) + "px";
});
const find = document.getElementById("find"), found = document.getElementById("found");
find.closest("p").hidden = false;
find.addEventListener("input", () => {
const words = find.value.toLowerCase();
if (words) document.getElementById("same").checked = true;
let left = 0;
for (const row of body.rows) {
const fits = row.textContent.toLowerCase().includes(words);
row.classList.toggle("gone", !fits);
if (fits) left += 1;
}
found.textContent = words ? left + " found" : "";
});
const open = () => {
const row = location.hash.startsWith("#row-") && document.getElementById(location.hash.slice(1));
if (row) { row.querySelector("details").open = true; row.scrollIntoView(); }
};
addEventListener("hashchange", open);
open();
})();
