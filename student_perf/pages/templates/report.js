"use strict";
// Shows in which keys two runs' configs differ. Text only goes in as textContent.
for (const box of document.querySelectorAll(".diff")) {
  const data = JSON.parse(box.querySelector("script").textContent);
  const selects = box.querySelectorAll("select");
  const body = box.querySelector("tbody");
  const config = (i) => Object.assign({}, data.base, data.runs[i].changed);
  const show = () => {
    const [a, b] = [...selects].map((select) => config(Number(select.value)));
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    const rows = keys.filter((key) => (a[key] ?? null) !== (b[key] ?? null));
    body.replaceChildren(
      ...(rows.length ? rows : ["no key differs"]).map((key) => {
        const row = document.createElement("tr");
        const cells = rows.length ? [key, a[key] ?? "not set", b[key] ?? "not set"] : [key, "", ""];
        for (const text of cells) row.appendChild(document.createElement("td")).textContent = text;
        return row;
      }),
    );
  };
  selects.forEach((select, side) => {
    data.runs.forEach((run, i) => {
      const option = select.appendChild(document.createElement("option"));
      option.value = i;
      option.textContent = run.name;
    });
    select.value = side === 0 ? 0 : Math.min(1, data.runs.length - 1);
    select.addEventListener("change", show);
  });
  show();
  box.hidden = false;
}
