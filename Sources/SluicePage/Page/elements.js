// Building the document. Everything that comes from a spec or from data goes in as text, never as markup: there is no
// innerHTML on this page.

const svgNamespace = "http://www.w3.org/2000/svg"

/** An element. `attributes`: `class`, `text`, `on` (event name to handler), `data`, and everything else as it is. */
function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children)
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, name), attributes, children)
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue
    if (name === "text") node.textContent = value
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler)
    else if (name === "data") Object.assign(node.dataset, value)
    else node.setAttribute(name, value === true ? "" : String(value))
  }
  node.append(...children.filter((child) => child !== null && child !== undefined))
  return node
}

/** Writes only what has changed: screen readers and selections stay undisturbed. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name)
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value))
}

/** Replaces the children only if `key` is another than last time: a focused button inside keeps its focus. */
function replaceIfChanged(node, key, makeChildren) {
  const text = JSON.stringify(key)
  if (node.shownKey === text) return
  node.shownKey = text
  node.replaceChildren(...makeChildren().filter(Boolean))
}
