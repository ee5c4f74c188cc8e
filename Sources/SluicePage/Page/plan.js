// A query's plan as boxes: the inputs beside each other, what is done with them below, rows flow downwards. And in words
// what each side keeps and until when.

const operatorWords = {
  Source: "Read",
  EventTimeWatermark: "Watermark",
  DropLate: "Drop late rows",
  State: "Keep in state",
  SymmetricHashJoin: "Join",
  Filter: "Filter",
  Project: "Columns",
  Sink: "Write",
}

/** The tree of the physical plan, its leaves first. */
function drawPlan(node) {
  const children = node.children ?? []
  const box = operatorBox(node)
  if (children.length === 0) return element("div", { class: "lane" }, box)
  if (children.length === 1) {
    const above = drawPlan(children[0])
    above.append(box)
    return above
  }
  const lanes = element("div", { class: "lanes" }, ...children.map(drawPlan))
  return element("div", { class: "lane" }, lanes, box)
}

function operatorBox(node) {
  const details = Object.entries(node.details ?? {})
  const list = details.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })])
  const box = element(
    "div",
    { class: "operator", data: { operator: node.operator }, title: node.operator },
    element("b", { text: operatorWords[node.operator] ?? node.operator }),
    element("span", { text: ` ${node.summary ?? ""}` }),
    list.length ? element("dl", {}, ...list) : null,
    element("p", { class: "live" }),
  )
  return box
}

/** The numbers of the last batches at the boxes they belong to. */
function renderPlanNumbers(root, query, { last, sources, recent }, now) {
  const lives = (operator) => [...root.querySelectorAll(`[data-operator="${operator}"] > .live`)]
  const rows = (index) => sum(recent.map((point) => point.sources[index].rows)) / (windowMillis(query) / 1000)
  lives("Source").forEach((node, index) => setText(node, last ? perSecond(rows(index)) : ""))
  lives("EventTimeWatermark").forEach((node, index) => {
    const mark = sources[index]?.watermark
    setText(node, mark ? `${time(mark, now)}, ${distance(mark, now)}` : "")
  })
  lives("DropLate").forEach((node, index) => {
    const late = sum(recent.map((point) => point.sources[index].late))
    setText(node, last ? `${counted(late, "row")} in ${duration(windowMillis(query))}` : "")
  })
  lives("SymmetricHashJoin").forEach((node) =>
    setText(node, last?.state ? `${counted(last.state.rows, "row")} in state, ${bytes(last.state.bytes)}` : ""),
  )
  lives("Sink").forEach((node) => setText(node, last ? `${counted(last.rowsOut, "row")} in the last batch` : ""))
}

/** What each side keeps and until when; with the watermark of now. */
function keepsText(query, side, last, now) {
  const facts = query.plan.join?.[side]
  const offset = facts?.evictionOffsetMicros ?? null
  if (offset === null || !last?.watermark) return null
  const bound = last.watermark + offset / 1000
  return `Now: rows whose ${facts.time} is after ${time(bound, now)} UTC (${distance(bound, now)}).`
}

function makeStateList(query) {
  return (query.plan.state ?? []).map((side) =>
    element(
      "li",
      { data: { side: side.side } },
      element("strong", { text: side.summary }),
      element("p", { class: "live" }),
      element("ul", {}, ...side.details.map((text) => element("li", { text }))),
    ),
  )
}

function renderStateList(root, query, { last }, now) {
  for (const item of root.querySelectorAll(":scope > [data-side]")) {
    setText(item.querySelector(".live"), keepsText(query, item.dataset.side, last, now) ?? "")
  }
}
