// SPDX-License-Identifier: GPL-2.0-only
// check.mjs REPORT.html REPORT.json [PICTURES]: opens the page in a real Chromium and uses it as a
// person would. Prints TAP. With PICTURES, a folder, leaves screenshots there.
import { readFile, mkdtemp, rm, writeFile } from "node:fs/promises";
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

async function open(width, colorScheme, file = html) {
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => complaints.push(`dialog ${dialog.message()}`));
  const address = pathToFileURL(resolve(file)).href;
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

// The exact numbers behind what is shown: "1,234 ns" of titles, or data-value.
const exactly = (title) => BigInt(title.replace(/[, ns]/g, ""));
const parts = ["run_ns", "wait_ns", "sleep_ns", "block_ns", "unknown_ns"];
const nameOf = (thread) => (thread.comm === undefined ? `tid ${thread.tid}` : `${thread.comm}/${thread.tid}`);
const cgroupName = ({ path, cgroup_id }) => path ?? (cgroup_id === undefined ? "unknown" : `unknown (id ${cgroup_id})`);
const total = (rows, key) => rows.reduce((all, row) => all + BigInt(row[key]), 0n);

// A table beside the timeline by its first heading: what each row says, with all rows shown.
async function ranking(page, heading) {
  const table = page.locator("#details table").filter({ has: page.locator("th", { hasText: new RegExp(`^${heading}$`) }) });
  const more = table.locator("xpath=following-sibling::*[1][self::button]");
  if (await more.count() > 0) await more.click();
  return table.locator("tbody tr").evaluateAll((rows) => rows.map((row) => {
    const [what, ...numbers] = row.cells;
    return { name: (what.querySelector("button") ?? what.firstChild).textContent, note: what.querySelector(".faint")?.textContent, hidden: row.hidden,
      numbers: numbers.map((cell) => cell.querySelector("[title]")?.title ?? cell.textContent) };
  }));
}

async function choose(page, thread) {
  await page.keyboard.press("/");
  await page.keyboard.type(nameOf(thread));
  await page.locator('#threads td[data-key="name"] button').first().click();
  same(await text(page, "#details h3"), nameOf(thread), "the selected thread");
  await page.fill("#search", "");
  await page.evaluate(() => document.activeElement.blur());
}

// The groups of the table of threads: the line of each, and what is below it.
const groups = (page) => page.$$eval("#threads table.grouped tbody", (bodies) => bodies.map((body) => {
  const line = (row) => ({ kind: row.className, name: (row.querySelector("[data-group]") ?? row.cells[0]).title || row.cells[0].textContent.replace(/^[▸▾] | [\d,]+ thr$/g, ""),
    times: Object.fromEntries([...row.cells].filter((cell) => cell.dataset.value !== undefined).map((cell) => [cell.dataset.key, cell.dataset.value])) });
  const [head, ...rows] = [...body.rows].map(line);
  return { ...head, open: body.querySelector("[data-group]").getAttribute("aria-expanded"), rows };
}));

// Each part of each open group is the sum of what is below it; a column in which nothing happened is absent.
function addsUp(list) {
  for (const { name, times, rows } of list.filter(({ open }) => open === "true")) {
    for (const part of parts.filter((key) => times[key] !== undefined)) same(String(total(rows.map((row) => row.times), part)), times[part], `${part} below ${name}`);
  }
}

// What each row of a table says, by the keys of its columns: numbers exact.
const rows = (page, table) => page.$$eval(`#${table} tbody tr`, (lines) => lines.map((line) =>
  Object.fromEntries([...line.cells].map((cell) => [cell.dataset.key, cell.dataset.value ?? cell.textContent]))));

async function allRows(page, table) {
  const more = page.locator(`#${table} > p button`);
  while (await more.count() > 0) await more.click();
  return rows(page, table);
}

const detailFacts = async (page) => Object.fromEntries(await page.$$eval("#details dl.facts dt", (terms) => terms.map((term) =>
  [term.textContent, { text: term.nextSibling.textContent, title: term.nextSibling.querySelector("[title]")?.title }])));

const path = report.critical_path;
const pageSegments = 10_000;
const pathName = (index) => nameOf(path.threads.find((thread) => thread.index === index) ?? report.threads.find((thread) => thread.index === index));
const length = (segment) => segment.end_ns - segment.begin_ns;
// Those that the page has: the longest, of equal ones the first, in the order of time.
const keptSegments = () => path.segments.map((segment, i) => ({ ...segment, i })).sort((a, b) => length(b) - length(a) || a.i - b.i)
  .slice(0, pageSegments).sort((a, b) => a.i - b.i);

function humanNs(ns) {
  for (const [unit, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) if (ns >= unit * 0.99995) return `${(ns / unit).toPrecision(4)} ${name}`;
  return `${ns} ns`;
}

function whatOf({ state, cause, cpu, behind }) {
  if (cause !== undefined) return cause === "unknown" ? `${state}, unknown what for` : `${state}, ended by ${cause === "timer" ? "the" : "an"} ${cause}`;
  if (state === "run") return `run on CPU ${cpu}`;
  if (state !== "wait") return state;
  const place = `wait${cpu === undefined ? "" : ` for CPU ${cpu}`}, `;
  if (behind === undefined) return `${place}unknown behind whom`;
  return `${place}${humanNs(behind.ns)} of it ${behind.index === undefined ? "idle" : `behind ${pathName(behind.index)}`}`;
}

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
  await page.keyboard.type(nameOf(thread));
  const names = await page.$$eval('#threads td[data-key="name"]', (cells) => cells.map((cell) => cell.textContent));
  if (!names.includes(`${thread.comm}/${thread.tid}`) || names.length >= report.threads.length) throw new Error(`filtered to ${names}`);
  await page.keyboard.press("Escape");
  same(await page.inputValue("#search"), "", "the cleared filter");
});

await test("a thread's details say why it was off the CPU", async () => {
  const thread = [...report.threads].sort((a, b) => b.off_cpu.length - a.off_cpu.length)[0];
  await choose(page, thread);
  const words = { thread: "woken by thread", timer: "woken by timer", interrupt: "woken by interrupt", unknown: "end not known" };
  const shown = await ranking(page, "Off the CPU in");
  same(shown.map(({ name, note, numbers }) => [name, note, numbers[0], ...numbers.slice(1).map((title) => String(exactly(title)))]),
    thread.off_cpu.map((row) => [row.syscall ?? "no system call", `${row.state}, ${words[row.waker]}`, row.count.toLocaleString("en"), String(row.ns), String(row.max_ns)]), "the kinds");
  same(String(shown.reduce((all, { numbers }) => all + exactly(numbers[1]), 0n)), String(thread.sleep_ns + thread.block_ns), "their sum");
  await page.keyboard.press("Escape");
});

await test("and in which functions, all of its sleeps that have stacks", async () => {
  const thread = [...report.threads].sort((a, b) => b.off_cpu_stacks.length - a.off_cpu_stacks.length)[0];
  const frames = (stack) => report.stacks.stacks[stack].map((frame) => report.stacks.frames[frame]);
  await choose(page, thread);
  const shown = await ranking(page, "Slept in");
  same(shown.map(({ name, note, numbers }) => [[name, ...note.split(" < ")].join(" < "), numbers[0], ...numbers.slice(1).map((title) => String(exactly(title)))]),
    thread.off_cpu_stacks.map((row) => [(row.user === undefined ? [...frames(row.kernel), `unknown (${row.user_missing})`] : frames(row.user)).join(" < "), row.count.toLocaleString("en"), String(row.ns), String(row.max_ns)]), "the places");
  if (!shown.some(({ name, note }) => name === "<img src=x onerror=alert(1)>" && note === "pool::work < main")) throw new Error(`no pool::work in ${JSON.stringify(shown)}`);
  same(await page.evaluate(() => document.querySelectorAll("#details img").length), 0, "elements made of frames");
  await page.keyboard.press("Escape");
});

await test("and whom it waited behind, all of its wait", async () => {
  const thread = [...report.threads].sort((a, b) => b.waited_behind.length - a.waited_behind.length)[0];
  await choose(page, thread);
  const shown = await ranking(page, "Waited behind");
  const expected = thread.waited_behind.map((peer) => [peer.tid === 0 ? peer.comm : nameOf(peer), String(peer.ns)]);
  if (thread.waited_behind_unknown_ns > 0) expected.push(["not known", String(thread.waited_behind_unknown_ns)]);
  same(shown.map(({ name, numbers }) => [name, String(exactly(numbers[1]))]), expected, "whom");
  same(String(shown.reduce((all, { numbers }) => all + exactly(numbers[1]), 0n)), String(thread.wait_ns), "their sum");
  same(shown.some(({ hidden }) => hidden), false, "hidden rows after a click on the rest");
  await page.keyboard.press("Escape");
});

await test("the longest sleep for a futex leads to its place, its futex and who had that", async () => {
  const [futex] = report.futexes;
  const names = futex.owners.map(({ index }) => nameOf(report.threads.find((thread) => thread.index === index)));
  const sleeper = report.threads.find((thread) => thread.off_cpu.some((row) => row.syscall === "futex" && row.waker === "thread"));
  await choose(page, sleeper);
  await page.evaluate(() => { document.getElementById("scroller").scrollTop = 0; });
  const before = await picture(page);
  await page.locator("#details tr", { hasText: "sleep, woken by thread" }).filter({ hasText: "futex" }).locator("td:last-child button").click();
  if (await picture(page) === before) throw new Error("the timeline did not move");
  if (await page.evaluate(() => document.getElementById("scroller").scrollTop) === 0) throw new Error("its lane is not in sight");
  const facts = Object.fromEntries(await page.$$eval("#details .picked dt", (terms) => terms.map((term) => [term.textContent, term.nextSibling.textContent])));
  same([facts.in, facts.for], ["futex", `futex 0x${futex.word.toString(16)}`], "the call and the futex");
  if (!names.includes(facts["had by"])) throw new Error(`had by ${facts["had by"]}, not one of ${names}`);
  await page.keyboard.press("0");
  await page.keyboard.press("Escape");
});

await test("the futexes are listed by who had them", async () => {
  const rows = report.futexes.flatMap((futex) => futex.owners.map((owner) => ({ ...owner, word: `0x${futex.word.toString(16)}`, name: nameOf(owner) })));
  rows.sort((a, b) => b.ns - a.ns);
  const shown = await page.$$eval("#futexes tbody tr", (lines) => lines.map((line) => Object.fromEntries([...line.cells].map((cell) => [cell.dataset.key, cell.dataset.value ?? cell.textContent]))));
  same(shown.map((row) => [row.futex, row.owner, row.waits, row.ns, row.owner_run_ns, row.owner_wait_ns]),
    rows.map((row) => [row.word, row.name, ...[row.waits, row.ns, row.run_ns, row.wait_ns].map(String)]), "rows");
  await page.locator("#futexes tbody button").first().click();
  same(await text(page, "#details h3"), rows[0].name, "who had the first");
  const had = await ranking(page, "Had while others slept for it");
  same(had.map(({ name, numbers }) => [name, String(exactly(numbers[1]))]), [[rows[0].word, String(rows[0].ns)]], "what it had");
  await page.keyboard.press("Escape");
});

await test("policies have their slices against the nominal ones, and so has a thread", async () => {
  const sum = (counts) => counts.reduce((all, count) => all + count, 0);
  const shown = await page.$$eval("#policies tbody tr", (lines) => lines.map((line) => Object.fromEntries([...line.cells].map((cell) => [cell.dataset.key, cell.dataset.value ?? cell.textContent]))));
  same(shown.map((row) => [row.policy, row.slices, row.ns, row.nominal_max_ns]),
    report.policies.map((row) => [row.policy, ...[row.slices, row.ns, row.nominal_max_ns].map(String)]), "rows");
  const [first] = report.policies;
  same(first.slices, sum(first.against_nominal.all), "whole slices, by length");
  const thread = report.threads.find(({ against_nominal: slices }) => slices && sum(slices.expired) > 0);
  await choose(page, thread);
  const totals = Object.fromEntries(await page.$$eval("#details figcaption", (captions) => captions.map((caption) => [caption.firstChild.textContent, caption.querySelector("output")?.textContent])));
  same(parseInt(totals["Slices, of the nominal one"].replace(/\D/g, "")), sum(thread.against_nominal.all), "all");
  same(parseInt(totals["Of them expired"].replace(/\D/g, "")), sum(thread.against_nominal.expired), "expired");
  await page.keyboard.press("Escape");
});

await test("by cgroup, the threads below each add up to what it did", async () => {
  await page.click('#threads button[data-key="run_ns"]');
  await page.keyboard.press("g");
  same(await page.getAttribute("#by-cgroup", "aria-pressed"), "true", "the switch");
  let list = await groups(page);
  same(list.map(({ name, times }) => [name, times.run_ns, times.wait_ns]),
    report.cgroups.map((cgroup) => [cgroupName(cgroup), String(cgroup.run_ns), String(cgroup.wait_ns)]), "the cgroups");
  for (const part of parts) {
    const foot = await page.locator(`#threads tfoot td[data-key="${part}"]`);
    if (await foot.count() > 0) same(await foot.getAttribute("data-value"), String(total(report.threads, part)), `${part} of all`);
  }
  for (let i = 0; i < list.length; ++i) await page.locator("#threads [data-group]").nth(i).click();
  list = await groups(page);
  same(list.every(({ open }) => open === "true"), true, "all are open");
  addsUp(list);
  // The writer went from one to another.
  same(list.filter(({ rows }) => rows.some(({ kind }) => kind.includes("moved"))).length, 2, "cgroups that threads moved between");
  if (report.threads.length > 1000) same(list.some(({ rows }) => rows.some(({ name }) => / other threads$/.test(name))), true, "threads that are not shown");
  same(await page.evaluate(() => document.querySelectorAll("#threads img, #details img").length), 0, "elements made of paths");
});

await test("and they do when a filter leaves some of them out", async () => {
  await page.keyboard.press("/");
  await page.keyboard.type("/pool.slice");
  same((await groups(page)).map(({ name }) => name), ["/pool.slice"], "by the path");
  for (let i = 0; i < 11; ++i) await page.keyboard.press("Backspace");
  await page.keyboard.type("pool-1");
  const list = await groups(page);
  same(list.map(({ name }) => name), ["/pool.slice"], "by the name");
  same(list[0].rows.some(({ name }) => / other threads?$/.test(name)), true, "the others are one row");
  addsUp(list);
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  same(await page.getAttribute("#by-cgroup", "aria-pressed"), "false", "the switch");
});

await test("a thread leads to its cgroup, and tells its tid in its namespace", async () => {
  const thread = report.threads.find((one) => one.namespace !== undefined);
  await choose(page, thread);
  if (!(await text(page, "#details")).includes(`tid ${thread.namespace.tid}, pid ${thread.namespace.pid}`)) throw new Error("nothing on its namespace");
  await page.locator("#details dl button", { hasText: cgroupName(report.cgroups.find(({ cgroup_id }) => cgroup_id === thread.cgroup_id)) }).click();
  same(await page.evaluate(() => document.activeElement?.dataset.group), String(thread.cgroup_id), "the cgroup with the focus");
  const group = (await groups(page)).find(({ rows }) => rows.some(({ name }) => name === nameOf(thread)));
  if (thread.cgroup_id !== undefined && group?.open !== "true") throw new Error("its cgroup is not open");
  await page.keyboard.press("g");
  await page.keyboard.press("Escape");
});

await test("interrupts are columns of threads and CPUs, and facts of a thread", async () => {
  await page.click('#threads button[data-key="irq_ns"]');
  const shown = [...report.threads].sort((a, b) => b.irq_ns - a.irq_ns).slice(0, 100);
  same(await column(page, "threads", "irq_ns"), shown.map((thread) => thread.irq_ns), "irq_ns of threads");
  same((await column(page, "threads", "softirq_ns")).sort((a, b) => a - b), shown.map((thread) => thread.softirq_ns).sort((a, b) => a - b), "softirq_ns of threads");
  const cpus = [...report.cpus].sort((a, b) => a.cpu - b.cpu);
  for (const key of ["irq_ns", "softirq_ns", "idle_irq_ns", "idle_softirq_ns", "interrupts_unknown_ns"]) {
    if (cpus.every((cpu) => cpu[key] === 0)) same(await page.locator(`#cpus td[data-key="${key}"]`).count(), 0, `cells of ${key}, which is 0`);
    else same(await column(page, "cpus", key), cpus.map((cpu) => cpu[key]), `${key} of CPUs`);
  }
  const thread = report.threads.find((one) => one.softirqs > 0 && one.interrupts_unknown_ns > 0);
  await choose(page, thread);
  const facts = await detailFacts(page);
  same([facts["hard interrupts"], facts.softirqs, facts["interrupts not known"]].map(({ title }) => String(exactly(title))),
    [thread.irq_ns, thread.softirq_ns, thread.interrupts_unknown_ns].map(String), "its times");
  same([facts["hard interrupts"], facts.softirqs].map(({ text: told }) => told.split(" in ")[1]), [thread.irqs, thread.softirqs].map((count) => count.toLocaleString("en")), "its counts");
  await page.keyboard.press("Escape");
  await page.click('#threads button[data-key="run_ns"]');
});

await test("a fair thread's details have its virtual times, negative ones too", async () => {
  const thread = report.threads.find(({ eevdf }) => eevdf?.custom_slice && eevdf.lag_in.least_ns < 0 && eevdf.past_deadline > 0);
  const { eevdf } = thread;
  await choose(page, thread);
  same(await page.locator("#details h4", { hasText: "EEVDF" }).count(), 1, "headings");
  const facts = await detailFacts(page);
  const range = (name) => facts[name].title.split(" … ").map((title) => Number(exactly(title)));
  same(range("lag in"), [eevdf.lag_in.least_ns, eevdf.lag_in.most_ns], "lag in");
  same(range("lag out"), [eevdf.lag_out.least_ns, eevdf.lag_out.most_ns], "lag out");
  if (!/^−[\d.]+ (µs|ms) … [\d.]+ (µs|ms)$/.test(facts["lag in"].text)) throw new Error(`lag in is shown as ${facts["lag in"].text}`);
  same(range("slice"), [eevdf.slice_min_ns, eevdf.slice_max_ns], "slice");
  same(facts.slice.text.endsWith(" own"), true, "its own slice is said");
  for (const [name, ns] of [["virtual", eevdf.vruntime_ns], ["lag in p99 ≤", eevdf.lag_in.p99_ns], ["lag out p99 ≤", eevdf.lag_out.p99_ns]]) same(Number(exactly(facts[name].title)), ns, name);
  for (const [name, count] of [["past deadline", eevdf.past_deadline], ["before", eevdf.before_deadline], ["protected", eevdf.left_protected], ["delayed", eevdf.delayed]]) {
    same(Number(facts[name]?.text.replace(/\D/g, "") ?? 0), count, name);
  }
  await page.keyboard.press("Escape");
  const other = report.threads.find(({ eevdf: its }) => its?.custom_slice === false);
  await choose(page, other);
  same((await detailFacts(page)).slice.text.endsWith(" own"), false, "a slice that is not its own");
  await page.keyboard.press("Escape");
});

await test("the critical path adds up as in the JSON, or is absent", async () => {
  same(await page.isHidden("#path-section"), path === undefined, "no path");
  if (path === undefined) return;
  same(await text(page, "#path-title"), `Critical path of ${pathName(path.index)}`, "the title");
  const note = await text(page, "#path-note"), all = path.segments.length + path.segments_left_out;
  const whole = path.to_ns - path.from_ns;
  if (!note.includes(`Adds up in ${all.toLocaleString("en")} segments: ${whole.toLocaleString("en")} ns.`)) throw new Error(`it says ${note}`);
  const shown = await allRows(page, "path-threads");
  same(shown.map((row) => [row.thread, row.ns]), path.threads.map((row) => [pathName(row.index), String(row.ns)]), "the threads");
  same(shown.map((row) => [row.run_ns ?? "0", row.wait_ns ?? "0", row.timer ?? "0", row.interrupt ?? "0", row.slept ?? "0", row.block_ns ?? "0", row.unknown_ns ?? "0"]),
    path.threads.map((row) => [row.run_ns, row.wait_ns, row.sleep_by.timer, row.sleep_by.interrupt, row.sleep_by.unknown, row.block_ns, row.unknown_ns].map(String)), "their times");
  same(String(total(shown, "ns")), String(whole), "their sum");
  const behind = path.waited_behind.map((peer) => [peer.tid === 0 ? peer.comm : nameOf(peer), peer.ns]);
  if (path.waited_behind_unknown_ns > 0) behind.push(["unknown", path.waited_behind_unknown_ns]);
  behind.sort((a, b) => b[1] - a[1]);
  same((await allRows(page, "path-behind")).map((row) => [row.thread, row.ns]), behind.map(([name, ns]) => [name, String(ns)]), "whom it waited behind");
});

await test("its longest segments are listed, and what is left out is counted", async () => {
  if (path === undefined) return;
  const kept = keptSegments();
  const left = path.segments.length - kept.length;
  const note = await text(page, "#path-note");
  same(/([\d,]+) more, .* left out/.exec(note)?.[1], left > 0 ? left.toLocaleString("en") : undefined, "left out");
  same(await text(page, "#path-segments-title"), left > 0 ? `The ${kept.length.toLocaleString("en")} longest segments` : "Segments", "the heading");
  const shown = await rows(page, "path-segments");
  const expected = [...kept].sort((a, b) => length(b) - length(a)).slice(0, 10);
  same(shown.map((row) => [row.at, row.ns, row.thread, row.what]),
    expected.map((segment) => [String(segment.begin_ns - report.capture.start_ns), String(length(segment)), pathName(segment.index), whatOf(segment)]), "the longest first");
  await page.click('#path-segments button[data-key="at"]');
  same((await rows(page, "path-segments")).map((row) => row.at), kept.slice(0, 10).map((segment) => String(segment.begin_ns - report.capture.start_ns)), "by time");
  await page.click('#path-segments button[data-key="what"]');
  const first = kept.map(whatOf).sort((a, b) => a.localeCompare(b))[0];
  same((await rows(page, "path-segments"))[0].what, first, "by what");
  await page.click('#path-segments button[data-key="ns"]');
});

await test("a segment leads to its place, and a thread of the path to itself", async () => {
  if (path === undefined) return;
  const longest = [...keptSegments()].sort((a, b) => length(b) - length(a))[0];
  // Selected and in sight already: what then changes the picture is the jump.
  await page.locator("#path-segments tbody tr:first-child td[data-key=thread] button").click();
  const before = await picture(page);
  await page.locator("#path-segments tbody tr:first-child td[data-key=at] button").click();
  same(await text(page, "#details h3"), pathName(longest.index), "the selected thread");
  if (await picture(page) === before) throw new Error("the timeline did not move");
  await page.keyboard.press("Escape");
  await page.locator("#path-threads tbody button").first().click();
  same(await text(page, "#details h3"), pathName(path.threads[0].index), "the thread of the first row");
  same(await page.$$eval("#path-threads tr.selected", (lines) => lines.length), 1, "marked rows");
  await page.fill("#search", pathName(path.threads[0].index));
  same((await rows(page, "path-threads")).map((row) => row.thread), [pathName(path.threads[0].index)], "what the filter leaves");
  await page.fill("#search", "");
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Escape");
  await page.keyboard.press("0");
});

await test("of a path that does not add up it is said aloud, and times beyond doubles keep their lengths", async () => {
  if (path === undefined) return;
  const altered = join(profile, "altered-path.html");
  const source = await readFile(html, "utf8");
  const unknown = `"waited_behind_unknown_ns":${path.waited_behind_unknown_ns},"segments"`;
  for (const before of [unknown, '"adds_up":true']) if (source.split(before).length !== 2) throw new Error(`${before} is not in the page once`);
  const shift = 9007199254740993n - BigInt(path.from_ns);
  await writeFile(altered, source.replace(unknown, '"waited_behind_unknown_ns":12345,"segments"').replace('"adds_up":true', '"adds_up":false')
    .replace(/"(begin|end|from|to)_ns":(\d{9,})/g, (_, key, ns) => `"${key}_ns":${BigInt(ns) + shift}`));
  const other = await open(1280, "light", altered);
  if (!(await text(other, "#path-note .bad")).startsWith("DOES NOT ADD UP")) throw new Error("it is not said");
  same((await allRows(other, "path-behind")).find((row) => row.thread === "unknown")?.ns, "12345", "behind whom is unknown");
  same((await column(other, "path-segments", "ns")), [...keptSegments()].map(length).sort((a, b) => b - a).slice(0, 10), "the lengths");
  await other.close();
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

await test("times beyond what a double holds stay exact", async () => {
  const [cgroup] = report.cgroups;
  const exact = "9007199254740993";
  const altered = join(profile, "altered.html");
  const source = await readFile(html, "utf8");
  const before = `"run_ns":${cgroup.run_ns},"wait_ns":${cgroup.wait_ns},"sleep_ns":${cgroup.sleep_ns},`;
  if (source.split(before).length !== 2) throw new Error("the cgroup's times are not in the page once");
  await writeFile(altered, source.replace(before, `"run_ns":${cgroup.run_ns},"wait_ns":${cgroup.wait_ns},"sleep_ns":${exact},`));
  const other = await open(1280, "light", altered);
  await other.keyboard.press("g");
  const list = await groups(other);
  same(list[0].times.sleep_ns, exact, "sleep_ns");
  same(list.map(({ name }) => name), report.cgroups.map(cgroupName), "the paths");
  await other.locator("#threads [data-group]").first().click();
  addsUp(await groups(other));
  await other.close();
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
