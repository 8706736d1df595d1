// SPDX-License-Identifier: GPL-2.0-only
// Elements are built, never parsed: text from a capture can only ever become text.

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "class") element.className = String(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  fill(element, ...children);
  return element;
}

export function fill(element: Element, ...children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

export function replace(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  fill(element, ...children);
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

// A bar of shares; the table or list beside it says the same in numbers.
export function shareBar(parts: { name: string; ns: number; color: string }[], whole: number): HTMLElement {
  const bar = h("div", { class: "share", "aria-hidden": "true" });
  for (const { name, ns, color } of parts) {
    if (ns <= 0 || whole <= 0) continue;
    const part = h("span", { title: name });
    part.style.width = `${(100 * ns) / whole}%`;
    part.style.background = color;
    bar.append(part);
  }
  return bar;
}
