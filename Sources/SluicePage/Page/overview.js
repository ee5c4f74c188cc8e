// The first screen: what needs a person, then every query with its numbers.

/** A column of the table: its name, and from a query and its measures to `{ main, sub, level, share }`. */
const columns = [
  { title: "Status", cell: statusCell },
  { title: "Rows in", cell: rateCell },
  { title: "Batch time p50", cell: batchTimeCell },
  { title: "Latency p50", cell: latencyCell },
  { title: "Not read yet", cell: backlogCell },
  { title: "Watermark", cell: watermarkCell },
  { title: "State", cell: stateCell },
  { title: "Matched", cell: matchedCell },
  { title: "Rows out", cell: outputCell },
  { title: "Late, bad", cell: lateCell },
  { title: "Checkpoint", cell: checkpointCell },
]

function statusCell(query, { last, sources }, now) {
  const level = { failed: 3, restarting: 3, paused: 1 }[query.status] ?? 0
  const isCatchingUp = sources.some((source) => source.behind > 0) && query.status === "running"
  const batch = query.batchId === null ? "no batch yet" : `batch ${number(query.batchId)}`
  const restarts = query.restarts ? `, started again ${counted(query.restarts, "time")}` : ""
  return {
    main: isCatchingUp ? "catching up" : query.status,
    sub: `${last ? `${batch}, ${ago(now - last.at)}` : batch}${restarts}`,
    level,
  }
}

function rateCell(query, { inputRate, processedRate }) {
  if (inputRate === null) return null
  const sub = processedRate === null ? null : `can process ${perSecond(processedRate)}`
  return { main: perSecond(inputRate), sub, level: processedRate !== null && processedRate < inputRate ? 2 : 0 }
}

function batchTimeCell(query, { batchMedian, batchHigh, share, interval }) {
  if (batchMedian === null) return null
  const part = share === null ? query.trigger.replaceAll("_", " ") : `${percent(share)} of ${duration(interval)}`
  return {
    main: batchMillis(batchMedian),
    sub: `p95 ${batchMillis(batchHigh)}, ${part}`,
    share,
    level: share > 1 ? 2 : share > 0.7 ? 1 : 0,
  }
}

/** Records have whole milliseconds. */
function batchMillis(millis) {
  return millis < 1 ? `<${gap}1${gap}ms` : duration(millis)
}

/** From a row's arrival to its result, as long as the query keeps up; a row without a partner waits for the watermark. */
function latencyCell(query, { latency }) {
  return latency && { main: batchMillis(latency.p50), sub: `p99 ${batchMillis(latency.p99)}` }
}

function backlogCell(query, { sources }) {
  if (["paused", "restarting", "failed"].includes(query.status)) return restingBacklogCell(query)
  const known = sources.filter((source) => source.behind !== null)
  if (!known.length) return null
  const behind = known.filter((source) => source.behind > 0)
  if (!behind.length) return { main: "nothing" }
  const seconds = Math.max(...behind.map((source) => source.behindSeconds ?? 0))
  return {
    main: behind.map((source) => `${behindText(source)} of ${source.name}`).join(", "),
    sub: seconds > 0 ? `${duration(seconds * 1000)} behind` : null,
  }
}

/** What the last batch left says nothing of what has come since it. */
function restingBacklogCell({ backlog }) {
  if (!backlog) return { main: "not known" }
  const behind = Object.entries(backlog).filter(([, { rows, bytes }]) => (rows ?? bytes) > 0)
  const text = ([name, { rows, bytes: size }]) => `${rows === undefined ? bytes(size) : counted(rows, "row")} of ${name}`
  return { main: behind.map(text).join(", ") || "nothing" }
}

function watermarkCell(query, { last, holder }, now) {
  if (!last?.eventTime) return null
  if (last.watermark === null) return { main: "none yet" }
  const held = holder === null ? "" : `, held by ${holder.name}`
  return { main: distance(last.watermark, now), sub: `${time(last.watermark, now)}${held}` }
}

function distance(millis, now) {
  return millis > now ? `${duration(millis - now)} ahead` : ago(now - millis)
}

function stateCell(query, { last, growthPerHour }) {
  if (!last?.state) return null
  const grows = growthPerHour === null ? "" : `, ${signed(growthPerHour)} rows/h`
  return { main: counted(last.state.rows, "row"), sub: `${partsText(query, last)}; ${bytes(last.state.bytes)}${grows}` }
}

/** Of one stage its sides, of several the stages. */
function partsText(query, point) {
  const { stages } = point.state
  const parts = stages.length > 1 ? stages : stateSides(query, point.state).map(({ name, of }) => ({ name, rows: of(point).rows }))
  return parts.map(({ name, rows }) => `${name} ${number(rows ?? 0)}`).join(", ")
}

function matchedCell(query, { matches }) {
  if (!matches.length) return null
  const share = ({ matched, unmatched }) => (matched + unmatched ? percent(matched / (matched + unmatched)) : "not yet")
  return {
    main: matches.map(share).join(", "),
    sub: matches.map(({ name, unmatched, waiting }) => `of ${name}: ${number(unmatched)} alone, ${number(waiting)} wait`).join("; "),
  }
}

function signed(value) {
  const rounded = Math.round(value)
  return rounded > 0 ? `+${number(rounded)}` : `${rounded < 0 ? "−" : "±"}${number(Math.abs(rounded))}`
}

function outputCell(query, { outputRate, last }) {
  if (outputRate === null) return null
  return { main: perSecond(outputRate), sub: `${number(last.rowsOut)} in the last batch` }
}

function lateCell(query, { late, bad, last }) {
  if (!last) return null
  const known = [late ? `${number(late)} late` : "", bad ? `${number(bad)} bad` : ""].filter(Boolean)
  return {
    main: known.join(", ") || "none",
    sub: `in ${duration(windowMillis(query))}`,
    level: known.length ? 1 : 0,
  }
}

function checkpointCell(query, { last }, now) {
  if (!last) return null
  const size = last.checkpointBytes === null ? "" : `${bytes(last.checkpointBytes)}, `
  return { main: batchMillis(checkpointMillis(last)), sub: `${size}${ago(now - last.at)}` }
}

/** Offsets logged, state written, batch committed. */
function checkpointMillis({ phases, state }) {
  return (phases.walCommit ?? 0) + (phases.commitOffsets ?? 0) + (state?.commitMillis ?? 0)
}

// MARK: The screen

/** The table has all of them. */
const problemsShown = 12

function makeOverview() {
  const filter = element("input", { type: "search", id: "filter", on: { input: () => render() } })
  const view = {
    root: element("div", { class: "overview" }),
    heading: element("h1", { tabindex: -1, text: "Queries" }),
    filter,
    reload: makeReload(),
    filterBox: element("p", { class: "filter" }, element("label", { for: "filter", text: "Show names with" }), filter),
    problems: element("ul", { class: "problems", "aria-label": "What needs attention" }),
    body: element("tbody"),
    rows: new Map(),
  }
  const titles = ["Query", ...columns.map((column) => column.title)]
  const head = element("thead", {}, element("tr", {}, ...titles.map((text) => element("th", { scope: "col", text }))))
  view.table = element("table", { class: "queries" }, head, view.body)
  view.root.append(view.heading, view.problems, view.filterBox, view.table, view.reload)
  return view
}

/** Problems first, then by name. */
function listed(now) {
  return [...queries.values()]
    .map((query) => {
      const measures = measure(query, now)
      const found = problems(query, measures, now)
      return { query, measures, found, level: found[0]?.level ?? 0 }
    })
    .sort((a, b) => b.level - a.level || a.query.name.localeCompare(b.query.name))
}

function renderOverview(view, list, now) {
  const wanted = view.filter.value.toLowerCase()
  view.filterBox.hidden = list.length < 8 && !wanted
  const shown = list.filter(({ query }) => query.name.toLowerCase().includes(wanted))
  renderProblems(view, shown)
  view.table.hidden = !list.length
  setText(view.heading, list.length ? "Queries" : connection.isLive ? "This process has no queries" : "Queries")
  const wasFocused = document.activeElement
  for (const item of shown) renderRow(view, item, now)
  removeRows(view, new Set(shown.map(({ query }) => query.name)))
  orderRows(view, shown)
  // A row that is moved to its place loses the focus it holds.
  if (wasFocused !== document.activeElement && view.body.contains(wasFocused)) wasFocused.focus()
}

function renderProblems(view, shown) {
  const sentences = shown
    .filter(({ level }) => level > 0)
    .map(({ query, found, level }) => ({
      name: query.name,
      level,
      text: found.filter((problem) => problem.level > 0).map(({ text }) => text).join("; "),
    }))
  const left = sentences.splice(problemsShown)
  view.problems.hidden = !sentences.length
  replaceIfChanged(view.problems, [sentences, left.length], () => [
    ...sentences.map(({ name, level, text }) =>
      element("li", { class: `level-${level}` }, element("a", { href: queryHash(name), text: name }), `: ${text}`),
    ),
    left.length ? element("li", { text: `and ${number(left.length)} more, first in the table below` }) : null,
  ])
}

function renderRow(view, { query, measures, found, level }, now) {
  let row = view.rows.get(query.name)
  if (!row) {
    row = makeRow(query.name)
    view.rows.set(query.name, row)
    view.body.append(row.node)
  }
  setAttribute(row.node, "class", `level-${level}`)
  setAttribute(row.node, "data-status", query.status)
  setText(row.note, found.filter((problem) => problem.level === 0).map(({ text }) => text).join("; "))
  columns.forEach((column, index) => renderCell(row.cells[index], column.cell(query, measures, now)))
}

function makeRow(name) {
  const note = element("small")
  const link = element("a", { href: queryHash(name), text: name })
  const cells = columns.map(({ title }) => {
    const cell = { main: element("span", { class: "main" }), sub: element("small"), meter: element("span") }
    cell.meter.className = "meter"
    cell.meter.append(element("span"))
    cell.node = element("td", { data: { title } }, cell.main, cell.meter, cell.sub)
    return cell
  })
  const head = element("th", { scope: "row" }, link, note)
  return { node: element("tr", { data: { query: name } }, head, ...cells.map((cell) => cell.node)), note, cells }
}

function renderCell(cell, content) {
  cell.node.classList.toggle("absent", !content)
  setText(cell.main, content?.main ?? "")
  setText(cell.sub, content?.sub ?? "")
  setAttribute(cell.node, "data-level", content?.level || null)
  const share = content?.share ?? null
  cell.meter.hidden = share === null
  // Through the object model: the policy of the page refuses `style` attributes.
  if (share !== null) cell.meter.firstChild.style.width = `${Math.min(100, share * 100)}%`
}

function removeRows(view, names) {
  for (const [name, row] of view.rows) {
    if (names.has(name)) continue
    row.node.remove()
    view.rows.delete(name)
  }
}

function orderRows(view, shown) {
  shown.forEach(({ query }, index) => {
    const node = view.rows.get(query.name).node
    if (view.body.children[index] !== node) view.body.insertBefore(node, view.body.children[index] ?? null)
  })
}

function queryHash(name) {
  return `#/query/${encodeURIComponent(name)}`
}
