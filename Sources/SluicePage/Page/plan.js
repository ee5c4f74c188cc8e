// A query's plan as boxes: the inputs beside each other, what is done with them below, rows flow downwards. And in words
// what each side keeps and until when.

const operatorWords = {
  Source: "Read",
  EventTimeWatermark: "Watermark",
  DropLate: "Drop late rows",
  State: "Keep in state",
  SymmetricHashJoin: "Join",
  Deduplicate: "Drop duplicates of",
  Lookup: "Look up",
  Table: "Table",
  Union: "Union",
  Filter: "Filter",
  Project: "Columns",
  Sink: "Write",
}

/** Which numbers stand at a box, by its node: those of a source, a stage, or a side of one. */
function boxPlaces(query) {
  const places = new Map()
  // In order of execution: a stage comes behind what it reads.
  const stages = [...(query.plan.stages ?? [])]
  const visit = (node) => {
    const below = (node.children ?? []).map(visit)
    let source = below.length === 1 ? below[0] : null
    if (node.operator === "Table") places.set(node, { table: plainName(node) })
    if (node.operator === "Source") source = query.sources.findIndex(({ name }) => name === plainName(node))
    else if (node.operator === "SymmetricHashJoin" || node.operator === "Deduplicate") {
      source = null
      const stage = stages.shift()?.stage
      places.set(node, { stage })
      if (node.operator === "SymmetricHashJoin") node.children.forEach((child, side) => places.set(child, { stage, side }))
    }
    if (source !== null && !places.has(node)) places.set(node, { source })
    return source
  }
  visit(query.plan.physical)
  return places
}

/** The tree of the physical plan, its leaves first. */
function drawPlan(query) {
  return drawNode(query.plan.physical, boxPlaces(query))
}

function drawNode(node, places) {
  const children = node.children ?? []
  const box = operatorBox(node, places.get(node) ?? {})
  if (children.length === 0) return element("div", { class: "lane" }, box)
  if (children.length === 1) {
    const above = drawNode(children[0], places)
    above.append(box)
    return above
  }
  const lanes = element("div", { class: "lanes" }, ...children.map((child) => drawNode(child, places)))
  const lane = element("div", { class: "lane" }, lanes, box)
  widen(lane, lanes, children)
  return lane
}

/** Each lane gets the room of the sources above it; many sources more than the screen may have. */
function widen(lane, lanes, children) {
  const counts = children.map((child) => planNodes(child, "Source").length + planNodes(child, "Table").length)
  const total = sum(counts)
  if (total <= 2) return
  // Through the object model: the policy of the page refuses `style` attributes.
  counts.forEach((count, index) => (lanes.children[index].style.flexGrow = count))
  lane.style.minWidth = `${14.5 * total}rem`
  lanes.style.maxWidth = `${Math.max(64, 20 * total)}rem`
}

function operatorBox(node, place) {
  const details = Object.entries(node.details ?? {})
  const list = details.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })])
  const box = element(
    "div",
    { class: "operator", data: { operator: node.operator, ...place }, title: node.operator },
    element("b", { text: operatorWords[node.operator] ?? node.operator }),
    element("span", { text: ` ${node.summary ?? ""}` }),
    list.length ? element("dl", {}, ...list) : null,
    element("p", { class: "live" }),
  )
  return box
}

/** The numbers of the last batches at the boxes they belong to. */
function renderPlanNumbers(root, query, measures, now) {
  for (const box of root.querySelectorAll("[data-operator]")) {
    const text = measures.last && liveTexts[box.dataset.operator]?.(query, measures, box.dataset, now)
    setText(box.querySelector(":scope > .live"), text || "")
  }
}

/** From a query, its measures and a box's place to what stands there now. */
const liveTexts = {
  Source: (query, { recent }, { source }) =>
    perSecond(sourceSum(recent, source, "rows") / (windowMillis(query) / 1000)),
  EventTimeWatermark: (query, { sources }, { source }, now) => markText(sources[source]?.watermark, now),
  DropLate: (query, { recent }, { source }) =>
    `${counted(sourceSum(recent, source, "late"), "row")} in ${duration(windowMillis(query))}`,
  Deduplicate: (query, { last, recent }, { stage }) => {
    const kept = stageOf(last, stage)
    const dropped = sum(recent.map((point) => stageOf(point, stage)?.duplicates ?? 0))
    return kept && `${counted(kept.rows, "value")} in state, ${bytes(kept.bytes)}; ` +
      `${counted(dropped, "duplicate")} in ${duration(windowMillis(query))}`
  },
  State: (query, { last }, { stage, side }) => {
    const kept = stageOf(last, stage)?.sides[side]
    // Beside the only join the numbers of its sides stand above all charts.
    return kept && last.state.stages.length > 1 && `${counted(kept.rows, "row")}, ${bytes(kept.bytes)}`
  },
  SymmetricHashJoin: (query, { last }, { stage }, now) => {
    const kept = stageOf(last, stage)
    const mark = kept && last.state.stages.length > 1 ? markText(kept.watermark, now) : ""
    return kept && `${counted(kept.rows, "row")} in state, ${bytes(kept.bytes)}${mark && `; watermark ${mark}`}`
  },
  Table: (query, { last }, { table }, now) => {
    const known = last.tables.find(({ name }) => name === table)
    return known && tableText(known, last.at, now)
  },
  Sink: (query, { last }) => `${counted(last.rowsOut, "row")} in the last batch`,
}

function markText(mark, now) {
  return mark ? `${time(mark, now)}, ${distance(mark, now)}` : ""
}

/** What a side keeps and until when; with the watermark of now. */
function keepsText(query, { stage: name, side }, last, now) {
  const stage = planStage(query, name)
  const facts = stage?.[side]
  const offset = facts ? facts.evictionOffsetMicros : stage?.withinMicros && -stage.withinMicros
  if (offset === null || offset === undefined || !last?.watermark) return null
  const bound = last.watermark + (stage.watermarkMs ?? 0) + offset / 1000
  const rows = facts ? `rows whose ${facts.time}` : "values whose first time"
  return `Now: ${rows} is after ${time(bound, now)} UTC (${distance(bound, now)}).`
}

function makeStateList(query) {
  return (query.plan.state ?? []).map((side) =>
    element(
      "li",
      { data: { stage: side.stage, side: side.side } },
      element("strong", { text: side.summary }),
      element("p", { class: "live" }),
      element("ul", {}, ...side.details.map((text) => element("li", { text }))),
    ),
  )
}

function renderStateList(root, query, { last }, now) {
  for (const item of root.querySelectorAll(":scope > [data-side]")) {
    setText(item.querySelector(".live"), keepsText(query, item.dataset, last, now) ?? "")
  }
}
