import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { find, main, show } from "./region.js";

const { bindTheirs, morph } = await import("../../core/static/live/morph.js");
const { highlight } = await import("../../core/static/live/highlight.js");
const { staying } = await import("../../core/static/live/order.js");

/** @type {() => void} */
let unbind;
beforeEach(() => {
  unbind = bindTheirs(document);
});
afterEach(() => unbind());

const keys = (elements) => elements.map((element) => element.dataset.key ?? element.id);
const list = (...names) => `<ol>${names.map((name) => `<li data-key="${name}">${name}</li>`).join("")}</ol>`;
const form = (title, extra = "") =>
  `<form id="f"><input type="hidden" name="was.title" value="${title}"><input id="t" name="title" value="${title}">${extra}</form>`;

function type(field, value) {
  field.focus();
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function check(field) {
  field.checked = !field.checked;
  if (field.type === "radio") field.checked = true;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

test("the content becomes what the html says", () => {
  const region = show("<h2>Old</h2><p>a <b>b</b> c</p>");
  const html = '<h2 class="x">New</h2><!-- note --><ol><li>1</li></ol><p>a <i>b</i> c</p>tail';

  morph(region, html);

  assert.equal(region.innerHTML, html);
});

test("equal content changes nothing", () => {
  const region = show(list("a", "b"));
  const before = region.innerHTML;

  const { added, changed, removed, moved, focusLost } = morph(region, before);

  assert.deepEqual([added, changed, removed, moved, focusLost], [[], [], [], [], null]);
});

test("random lists become what the html says, and keep their nodes", () => {
  let seed = 7;
  const random = (below) => (seed = (seed * 16807) % 2147483647) % below;
  const some = () => {
    const names = "abcdefghij".split("").filter(() => random(3));
    return names.map((name) => [random(100), name]).sort(([a], [b]) => a - b).map(([, name]) => name);
  };
  const nested = () => {
    const names = some();
    const cut = random(names.length + 1);
    return `<section data-key="one">${list(...names.slice(0, cut))}</section><section data-key="two"><h3>${random(3)}</h3>${list(...names.slice(cut))}</section>`;
  };
  const region = show(nested());
  for (let round = 0; round < 500; round++) {
    const before = new Map([...region.querySelectorAll("[data-key]")].map((node) => [node.dataset.key, node]));
    const html = nested();

    morph(region, html);

    assert.equal(region.innerHTML, html);
    for (const node of region.querySelectorAll("[data-key]")) {
      if (before.has(node.dataset.key)) assert.equal(node, before.get(node.dataset.key));
    }
  }
});

test("a long page becomes what the html says, whatever scripts did to it meanwhile", () => {
  let seed = 11;
  const random = (below) => (seed = (seed * 16807) % 2147483647) % below;
  const long = "long ".repeat(1500);
  const shuffled = (names) => names.map((name) => [random(100), name]).sort(([a], [b]) => a - b).map(([, name]) => name);
  const state = { order: [..."abcdefghij"], rows: new Map([..."abcdefghij"].map((name) => [name, `${name}1 ${name}2`])) };
  const html = () =>
    `<ol>${state.order
      .map((name) => `<li id="c${name}" data-key="${name}"><p>${long}</p>${list(...state.rows.get(name).split(" ").filter(Boolean))}</li>`)
      .join("\n")}</ol>${random(5) ? "" : '<p data-key="end">end</p>'}`;
  const acts = [
    () => state.order.push(state.order.shift()),
    () => (state.order = shuffled([..."abcdefghij"]).slice(random(3))),
    () => {
      const [from, to] = shuffled(state.order);
      const [first, ...rest] = state.rows.get(from).split(" ");
      state.rows.set(from, rest.join(" "));
      state.rows.set(to, `${first} ${state.rows.get(to)}`);
    },
  ];
  const scripts = [
    (region) => region.querySelector("ol").append(...shuffled([...region.querySelector("ol").children])),
    (region) => region.querySelector("ol li")?.remove(),
    (region) => region.querySelector("p").remove(),
    (region) => (region.querySelector("p").firstChild.data = "else"),
    (region) => region.querySelector("li li")?.setAttribute("title", "else"),
    (region) => region.querySelector("li li")?.classList.add("live-changed"),
    (region) => region.prepend(region.querySelector("li li") ?? "text"),
    (region) => (region.innerHTML = "<ol><li id=ca data-key=a>other</li></ol>"),
    () => {},
    () => {},
  ];
  const region = show(html());
  for (let round = 0; round < 300; round++) {
    acts[random(acts.length)]();
    const fresh = html();

    morph(region, fresh);

    assert.equal(region.innerHTML.replaceAll(' class="live-changed"', ""), fresh, `round ${round}`);
    scripts[random(scripts.length)](region);
  }
});

test("what a long page says again letter by letter is not made anew", () => {
  const html = (title) =>
    `<ol>${Array.from({ length: 100 }, (_, n) => `<li data-key="${n}">${n === 50 ? title : "long ".repeat(200)}</li>`).join("")}</ol>`;
  const region = show(html("one"));
  morph(region, html("two"));
  const parsed = [];
  const { set } = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");

  const template = document.createElement("template");
  Object.defineProperty(template, "innerHTML", { set: (text) => { parsed.push(text.length); set.call(template, text); } });
  const make = document.createElement;
  document.createElement = () => template;
  const { changed } = morph(region, html("three"));
  document.createElement = make;

  assert.deepEqual(keys(changed), ["50"]);
  assert.equal(region.innerHTML, html("three"));
  assert.ok(parsed[0] < 10_000, `${parsed[0]} of ${html("three").length}`);
});

test("as few as possible move", () => {
  assert.deepEqual([...staying([4, 0, 1, 2, 3])].sort(), [1, 2, 3, 4]);
  assert.deepEqual([...staying([1, 2, 3, 4, 0])].sort(), [0, 1, 2, 3]);
  assert.deepEqual([...staying([-1, 0, -1, 1])].sort(), [1, 3]);
  assert.deepEqual([...staying([4, 0, 1, 2, 3], 0)], [0]);
});

test("added, changed, removed and moved elements are told apart", () => {
  const region = show(list("a", "b", "c", "d"));

  const html = list("d", "a", "c", "e").replace(">c<", ">C<");
  const { added, changed, removed, moved, from } = morph(region, html);

  assert.deepEqual([added, changed, removed, moved].map(keys), [["e"], ["c"], ["b"], ["d"]]);
  assert.equal(from.get(removed[0]), find("ol"));
});

test("a change inside a keyed element is not one of those around it", () => {
  const region = show('<div data-key="out"><p data-key="in">1</p></div>');

  const { changed } = morph(region, '<div data-key="out"><p data-key="in">2</p></div>');

  assert.deepEqual(keys(changed), ["in"]);
});

test("only the outermost of what is new counts as added", () => {
  const region = show("<ol></ol>");

  const { added } = morph(region, '<ol><li data-key="c"><p id="p">x</p></li></ol>');

  assert.deepEqual(keys(added), ["c"]);
});

test("an element that moves to another parent stays the same element", () => {
  const chapters = (one, two) => `<section id="one">${list(...one)}</section><section id="two">${two}</section>`;
  const region = show(chapters(["a", "b"], "<p>No videos yet.</p>"));
  const a = find("[data-key=a]");

  const { added, removed, moved, from } = morph(region, chapters(["b"], list("a")));

  assert.equal(find("#two [data-key=a]"), a);
  assert.deepEqual([added, removed, moved].map(keys), [[], [], ["a"]]);
  assert.equal(from.get(a), find("#one ol"));
});

test("an element survives its removed parent, also into a parent that is new", () => {
  const region = show(`<section id="one">${list("a", "b")}</section>`);
  const a = find("[data-key=a]");

  const { added, removed, moved } = morph(region, `<section id="two">${list("c", "a")}</section>`);

  assert.equal(find("#two [data-key=a]"), a);
  assert.deepEqual([added, removed, moved].map(keys), [["two"], ["one"], ["a"]]);
});

test("elements that change places as parent and child do no harm", () => {
  const region = show('<div id="a"><div id="b">x</div></div>');
  const html = '<div id="b"><div id="a">x</div></div>';

  morph(region, html);

  assert.equal(region.innerHTML, html);
});

test("a key that occurs twice never takes an element from another place", () => {
  const region = show('<p data-key="a">1</p><div><p data-key="a">2</p></div>');
  const html = '<div><p data-key="a">2</p></div><p data-key="b">1</p><p data-key="a">3</p>';

  morph(region, html);

  assert.equal(region.innerHTML, html);
});

test("a button keeps its node when another appears before it", () => {
  const region = show('<form id="m"><button name="after" value="2">Move video down</button></form>');
  const down = find("button");

  morph(
    region,
    '<form id="m"><button name="after" value="">Move video up</button><button name="after" value="3">Move video down</button></form>',
  );

  assert.equal(region.querySelectorAll("button")[1], down);
  assert.equal(down.value, "3");
});

test("nothing happens while something is dragged", () => {
  const region = show('<p data-dragging="">a</p>');

  assert.equal(morph(region, "<p>b</p>"), null);
  assert.equal(region.textContent, "a");
});

test("what scripts and people set survives", () => {
  const region = show('<details id="d"><summary>s</summary>a</details><button id="b" class="x">b</button>');
  const [details, button] = [find("details"), find("button")];
  details.open = true;
  button.classList.add("live-changed");
  button.setAttribute("aria-busy", "true");
  button.disabled = true;

  morph(region, '<details id="d"><summary>s</summary>b</details><button id="b" class="y">b</button>');

  assert.equal(details.open, true);
  assert.equal(button.outerHTML, '<button id="b" class="y live-changed" aria-busy="true" disabled="">b</button>');
});

test("a custom element with data-live-own looks after its children, and every one keeps its own attributes", () => {
  const region = show('<x-clock data-live-own>server</x-clock><x-mark key="1"></x-mark>');
  find("x-clock").textContent = "own";
  find("x-mark").setAttribute("state", "up");

  morph(region, '<x-clock data-live-own class="c">server 2</x-clock><x-mark key="1"></x-mark>');

  assert.equal(find("x-clock").outerHTML, '<x-clock data-live-own="" class="c">own</x-clock>');
  assert.equal(find("x-mark").getAttribute("state"), "up");
});

test("the messages of a form stay until its next submission", () => {
  const region = show('<form id="f"><div data-errors></div><p>1</p></form>');
  find("[data-errors]").textContent = "The title is missing. Give it one.";

  morph(region, '<form id="f"><div data-errors></div><p>2</p></form>');

  assert.equal(find("[data-errors]").textContent, "The title is missing. Give it one.");
});

test("a field nobody touched follows the server, even after it was edited and reset", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");
  find("#f").reset();
  find("#t").blur();

  morph(region, form("two"));

  assert.equal(find("#t").value, "two");
  assert.equal(find("[name='was.title']").value, "two");
});

test("half-typed text stays, without a question where the server did not change", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");

  morph(region, form("one", "<p>more</p>"));

  assert.equal(find("#t").value, "mine");
  assert.equal(find(".field-theirs"), null);
});

test("two changes of one field are asked about, and a save before the answer is still based on the old value", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");

  morph(region, form("two"));

  const field = find("#t");
  assert.equal(field.value, "mine");
  assert.equal(field.defaultValue, "two");
  assert.equal(field.dataset.theirs, "two");
  assert.equal(find("[name='was.title']").value, "one");
  assert.equal(field.nextElementSibling.textContent, "Changed meanwhile: Keep mine Use theirs: “two”");
  assert.equal(field.nextElementSibling.getAttribute("role"), "status");
});

test("keep mine means that the next save overwrites theirs knowingly", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");
  morph(region, form("two"));

  find("[data-keep-mine]").click();
  morph(region, form("two", "<p>more</p>"));

  assert.equal(find("#t").value, "mine");
  assert.equal(find("[name='was.title']").value, "two");
  assert.equal(find(".field-theirs, [data-theirs]"), null);
  assert.equal(document.activeElement, find("#t"));
});

test("use theirs takes the server's value", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");
  morph(region, form("two"));

  find("[data-use-theirs]").click();

  assert.equal(find("#t").value, "two");
  assert.equal(find("[name='was.title']").value, "two");
  assert.equal(find(".field-theirs, [data-theirs]"), null);
});

test("a question stays through later morphs, follows theirs, and ends when both agree", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");
  morph(region, form("two"));
  const control = find(".field-theirs");

  morph(region, form("three", "<p>more</p>"));
  assert.equal(find(".field-theirs"), control);
  assert.equal(find("#t").dataset.theirs, "three");
  assert.equal(find("[name='was.title']").value, "one");

  morph(region, form("mine"));
  assert.equal(find(".field-theirs, [data-theirs]"), null);
  assert.equal(find("[name='was.title']").value, "mine");
});

test("a question ends when theirs is taken back, and with its field", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");
  morph(region, form("two"));
  morph(region, form("one"));
  assert.equal(find(".field-theirs"), null);
  assert.equal(find("[name='was.title']").value, "one");

  morph(region, form("two"));
  assert.ok(find(".field-theirs"));
  morph(region, '<form id="f"></form>');
  assert.equal(region.innerHTML, '<form id="f"></form>');
});

test("a question ends when the person types what the others wrote", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");
  morph(region, form("two"));

  type(find("#t"), "two");

  assert.equal(find(".field-theirs"), null);
  assert.equal(find("[name='was.title']").value, "two");
});

test("my own save is nobody's change", () => {
  const region = show(form("one"));
  type(find("#t"), "mine");

  morph(region, form("mine"));

  assert.equal(find(".field-theirs"), null);
  assert.equal(find("[name='was.title']").value, "mine");
});

test("textareas, ticks, choices and radio buttons are kept and asked about too", () => {
  const fields = (text, tick, choice, status) => `<form id="f">
    <textarea id="text" name="text">${text}</textarea>
    <label><input type="checkbox" id="tick" name="tick"${tick ? " checked" : ""}> Tick</label>
    <select id="choice" name="choice">${["a", "b", "c"].map((o) => `<option value="${o}"${o === choice ? " selected" : ""}>Option ${o}</option>`).join("")}</select>
    <fieldset><div class="segments">${["draft", "published", "hidden"].map((s) => `<label><input type="radio" name="status" value="${s}"${s === status ? " checked" : ""}> The ${s}</label>`).join("")}</div></fieldset></form>`;
  const region = show(fields("one", false, "a", "draft"));
  type(find("#text"), "mine");
  find("#choice").value = "b";
  check(find("[value=published]"));

  morph(region, fields("two", true, "c", "hidden"));

  assert.equal(find("#text").value, "mine");
  assert.equal(find("#text").defaultValue, "two");
  assert.equal(find("#tick").checked, true);
  assert.equal(find("#choice").value, "b");
  assert.equal(find("[name=status]:checked").value, "published");
  const texts = [...region.querySelectorAll("[data-use-theirs]")].map((button) => button.textContent);
  assert.deepEqual(texts, ["Use theirs: “two”", "Use theirs: “Option c”", "Use theirs: “The hidden”"]);
  assert.equal(find(".segments").nextElementSibling.className, "field-theirs");

  for (const button of region.querySelectorAll("[data-use-theirs]")) button.click();
  assert.equal(find("#choice").value, "c");
  assert.equal(find("[name=status]:checked").value, "hidden");
  assert.equal(find("#text").value, "two");
});

test("a ticked box of a picker stays ticked", () => {
  const region = show('<input type="checkbox" name="media_ids" value="1" data-key="m1"><p>1</p>');
  check(find("input"));

  morph(region, '<input type="checkbox" name="media_ids" value="2" data-key="m2"><input type="checkbox" name="media_ids" value="1" data-key="m1"><p>2</p>');

  assert.equal(find("[value='1']").checked, true);
  assert.equal(find("[value='2']").checked, false);
});

test("the focus of a removed row goes to the next one, else the one before, else the heading", () => {
  const rows = (...names) => `<h2>Chapters</h2><ol>${names.map((n) => `<li data-key="${n}"><a href="#${n}">${n}</a></li>`).join("")}</ol>`;
  const region = show(rows("a", "b", "c"));
  const link = find("[href='#b']");
  link.focus();

  assert.equal(morph(region, rows("a", "c")).focusLost, link);
  assert.equal(document.activeElement, find("[href='#c']"));
  morph(region, rows("a"));
  assert.equal(document.activeElement, find("[href='#a']"));
  morph(region, rows());
  assert.equal(document.activeElement, find("h2"));
  morph(region, `${rows()}<p>more</p>`);
  assert.equal(document.activeElement, find("h2"));
});

test("a highlight lasts two seconds from the last change, through a morph, and leaves no trace", () => {
  const region = show('<p id="p">1</p>');
  const ends = [];
  const later = (end, ms) => ends.push([end, ms]);

  highlight([find("p")], later);
  highlight(morph(region, '<p id="p">2</p>').changed, later);

  assert.equal(find("p").className, "live-changed");
  ends[0][0]();
  assert.equal(find("p").className, "live-changed");
  ends[1][0]();
  assert.equal(main.innerHTML, '<div id="region"><p id="p">2</p></div>');
  assert.equal(ends[1][1], 2000);
});
