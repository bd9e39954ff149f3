"use strict";
// Finds messages that hold every word that was typed. Texts are loaded when they are first needed.
const texts = [];
const most = 200;
let loading = null;

function found(page) { texts.push(page); }

function load() {
  loading ??= names.reduce((before, name) => before.then(() => new Promise((done) => {
    const script = document.createElement("script");
    script.src = `search/${name}.js`;
    script.onload = script.onerror = () => { script.remove(); done(); };
    document.head.append(script);
  })), Promise.resolve());
  return loading;
}

const folded = (text) => text.normalize("NFKC").toLowerCase();

async function search(input, hits) {
  const asked = input.value;
  const words = folded(asked).split(/\s+/).filter(Boolean);
  if (!words.length) { hits.replaceChildren(); return; }
  hits.textContent = "Searching…";
  await load();
  if (input.value !== asked) return;
  const list = document.createElement("ol");
  let count = 0;
  for (const [name, title, messages] of texts) {
    for (const [anchor, who, text] of messages) {
      const all = folded(`${who} ${text}`);
      if (!words.every((word) => all.includes(word))) continue;
      count += 1;
      if (count > most) continue;
      const link = document.createElement("a");
      link.href = `pages/${name}.html#${anchor}`;
      link.textContent = `${title} · ${who}`;
      const item = document.createElement("li");
      item.append(link, document.createElement("br"), text.slice(0, 300));
      list.append(item);
    }
  }
  const said = count > most ? `${count} found, the first ${most} shown` : `${count} found`;
  hits.replaceChildren(said, list);
}

const input = document.getElementById("words");
const hits = document.getElementById("hits");
input.addEventListener("input", () => search(input, hits));
const given = new URLSearchParams(location.hash.slice(1)).get("q");
if (given) { input.value = given; search(input, hits); }
