// SPDX-License-Identifier: GPL-2.0-only
// check.mjs REPORT.html REPORT.json [PICTURES]: opens the page in a real Chromium and uses it as a
// person would. Prints TAP. With PICTURES, a folder, leaves screenshots there.
import { readFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [html, json, pictures] = process.argv.slice(2);
const report = JSON.parse(await readFile(json, "utf8"));
let number = 0, failed = 0;

async function test(name, body) {
  ++number;
  try {
    await body();
    console.log(`ok ${number} - ${name}`);
  } catch (error) {
    ++failed;
    console.log(`not ok ${number} - ${name}`);
    console.log(String(error.stack ?? error).replace(/^/gm, "  # "));
  }
}

function same(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

const profile = await mkdtemp(join(tmpdir(), "schedscope-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const complaints = [], requests = [];

async function open(width, colorScheme) {
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => complaints.push(`dialog ${dialog.message()}`));
  const address = pathToFileURL(resolve(html)).href;
  page.on("request", (request) => { if (request.url() !== address) requests.push(request.url()); });
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme });
  await page.goto(address);
  await page.waitForSelector("html[data-ready=true]", { timeout: 60_000 });
  return page;
}

// What the canvas shows: it changes when the picture does.
const picture = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
  done(document.getElementById("canvas").toDataURL())))));
const column = (page, table, key) => page.$$eval(`#${table} tbody td[data-key="${key}"]`, (cells) => cells.map((cell) => Number(cell.dataset.value)));
const text = (page, selector) => page.$eval(selector, (element) => element.textContent);

const page = await open(1280, "light");

await test("the tables hold the numbers of the JSON", async () => {
  const shown = report.threads.length > 100 ? 100 : report.threads.length;
  const byRun = [...report.threads].sort((a, b) => b.run_ns - a.run_ns).slice(0, shown);
  for (const key of ["run_ns", "wait_ns", "slices"]) same(await column(page, "threads", key), byRun.map((thread) => thread[key]), key);
  same(await column(page, "cpus", "switches"), [...report.cpus].sort((a, b) => a.cpu - b.cpu).map((cpu) => cpu.switches), "switches of CPUs");
  if (report.user_threads.length > 0) {
    same((await column(page, "users", "hostage_ns")), report.user_threads.map((user) => user.hostage_ns).sort((a, b) => b - a).slice(0, 100), "hostage_ns");
  }
});

await test("names stay text, whatever they are", async () => {
  same(await page.evaluate(() => document.querySelectorAll("#threads img, #threads b, #users b, #tip img, main script, main iframe").length), 0, "elements made of names");
  const names = await page.$$eval('#threads td[data-key="name"]', (cells) => cells.map((cell) => cell.textContent));
  for (const thread of report.threads.slice(0, 100)) {
    if (thread.comm !== undefined && !names.includes(`${thread.comm}/${thread.tid}`)) throw new Error(`${thread.comm} is not shown as it is`);
  }
});

await test("a column sorts both ways and says so", async () => {
  await page.click('#threads button[data-key="wait_ns"]');
  const down = await column(page, "threads", "wait_ns");
  same(down, [...down].sort((a, b) => b - a), "descending");
  await page.click('#threads button[data-key="wait_ns"]');
  const up = await column(page, "threads", "wait_ns");
  same(up, [...up].sort((a, b) => a - b), "ascending");
  same(await page.getAttribute("#threads th[aria-sort]", "aria-sort"), "ascending", "aria-sort");
});

await test("keys zoom and move the timeline", async () => {
  await page.evaluate(() => document.getElementById("timeline").scrollIntoView());
  await page.focus("#scroller");
  const seen = [await picture(page)];
  for (const key of ["w", "w", "w", "d", "a", "s"]) {
    await page.keyboard.press(key);
    seen.push(await picture(page));
  }
  for (let i = 1; i < seen.length; ++i) if (seen[i] === seen[i - 1]) throw new Error(`key ${i} changed nothing`);
  await page.keyboard.press("0");
  await page.mouse.move(2, 2);
  if (await picture(page) !== seen[0]) throw new Error("0 does not show all of it again");
});

await test("dragging moves, the wheel with Ctrl zooms", async () => {
  const box = await page.locator("#canvas").boundingBox();
  for (let i = 0; i < 4; ++i) await page.keyboard.press("w");
  const before = await picture(page);
  await page.mouse.move(box.x + 600, box.y + 70);
  await page.mouse.down();
  await page.mouse.move(box.x + 450, box.y + 70, { steps: 4 });
  await page.mouse.up();
  const dragged = await picture(page);
  if (dragged === before) throw new Error("dragging changed nothing");
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -300);
  await page.keyboard.up("Control");
  if (await picture(page) === dragged) throw new Error("the wheel changed nothing");
  await page.keyboard.press("0");
});

await test("a click on a name selects its thread, with its numbers", async () => {
  const first = page.locator("#threads tbody tr:first-child td:first-child button");
  const name = await first.textContent();
  await first.click();
  same(await text(page, "#details h3"), name, "the selected thread");
  same(await page.$$eval("#threads tr.selected", (rows) => rows.length), 1, "marked rows");
  await page.keyboard.press("Escape");
  same(await text(page, "#details h3"), "All threads", "after Escape");
});

await test("hovering and clicking a stretch tells of it", async () => {
  await page.evaluate(() => document.getElementById("timeline").scrollIntoView());
  await page.evaluate(() => { document.getElementById("scroller").scrollTop = 0; });
  const box = await page.locator("#canvas").boundingBox();
  // The first lane below the axis and the head of the CPUs.
  await page.mouse.move(box.x + 500, box.y + 28 + 26 + 13);
  await page.waitForSelector("#tip:not([hidden])");
  if ((await text(page, "#tip")).length < 8) throw new Error("the hint is empty");
  for (let i = 0; i < 22; ++i) await page.keyboard.press("w");
  let found = false;
  for (let y = 67; !found && y < 160; y += 26) {
    await page.mouse.click(box.x + 545, box.y + y);
    found = await page.locator("#details .picked").count() > 0;
  }
  if (!found) throw new Error("no click was answered");
  const facts = await text(page, "#details .picked");
  // One slice, or several that the page keeps as one box, with their shares.
  if (!/^ran|stretches here/.test(facts)) throw new Error(`the slice is not described: ${facts}`);
  await page.keyboard.press("]");
  await page.keyboard.press("f");
  await page.keyboard.press("Escape");
  await page.keyboard.press("0");
});

await test("the filter narrows lanes and tables", async () => {
  const thread = report.threads.find((one) => one.comm !== undefined);
  await page.keyboard.press("/");
  await page.keyboard.type(String(thread.tid));
  const names = await page.$$eval('#threads td[data-key="name"]', (cells) => cells.map((cell) => cell.textContent));
  if (!names.includes(`${thread.comm}/${thread.tid}`) || names.length >= report.threads.length) throw new Error(`filtered to ${names}`);
  await page.keyboard.press("Escape");
  same(await page.inputValue("#search"), "", "the cleared filter");
});

await test("findings lead to their place", async () => {
  const button = page.locator("#findings button").first();
  if (await button.count() === 0) return;
  const before = await picture(page);
  await button.click();
  if (await picture(page) === before) throw new Error("the timeline did not move");
  await page.keyboard.press("0");
});

await test("help opens and closes", async () => {
  await page.keyboard.press("?");
  await page.waitForSelector("#help[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#help:not([open])", { state: "attached" });
});

await test("loss, checks and resolution are told", async () => {
  const trust = await text(page, "#trust");
  for (const word of ["Lost", "Conservation", "Agreement", "Tracing cost", "This picture"]) if (!trust.includes(word)) throw new Error(`nothing on ${word}`);
  const bad = report.story.filter((paragraph) => paragraph.bad).map((paragraph) => paragraph.heading);
  same(await page.$$eval("#trust dt.bad", (terms) => terms.map((term) => term.textContent)), bad, "what is marked");
});

await test("nothing is wider than a phone", async () => {
  const narrow = await open(400, "dark");
  same(await narrow.evaluate(() => document.documentElement.scrollWidth <= 400), true, "no sideways scrolling");
  if (pictures) await narrow.screenshot({ path: join(pictures, "narrow-dark.png") });
  await narrow.close();
});

await test("light and dark differ", async () => {
  const light = await picture(page);
  await page.emulateMedia({ colorScheme: "dark" });
  if (await picture(page) === light) throw new Error("the timeline kept its colours");
  if (pictures) await page.screenshot({ path: join(pictures, "wide-dark.png"), fullPage: true });
  await page.emulateMedia({ colorScheme: "light" });
  if (pictures) await page.screenshot({ path: join(pictures, "wide-light.png"), fullPage: true });
});

await test("the page asks for nothing", async () => same(requests, [], "requests"));
await test("the console is silent", async () => same(complaints, [], "complaints"));

await context.close();
await rm(profile, { recursive: true, force: true });
console.log(`1..${number}`);
process.exitCode = failed === 0 ? 0 : 1;
