// SPDX-License-Identifier: MIT
// Building elements without markup in strings.

export const $ = (id) => document.getElementById(id);

/** <tag> with properties; `data` and `attributes` are objects of their own. */
export function element(tag, {data, attributes, ...properties} = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Sets a text only when it differs, so that selections and screen readers are left in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
