// One query: what it does now, its controls, its charts with the batch under the cursor, its plan and the advice.

const ranges = [["all that is known", 0], ["last 5 min", 300_000], ["last hour", 3_600_000], ["last 6 h", 21_600_000]]

function makeQueryView(query) {
  const view = { query, name: query.name, root: element("div", { class: "query" }) }
  view.heading = element("h1", { tabindex: -1, text: query.name })
  view.problems = element("ul", { class: "problems", "aria-label": "What needs attention" })
  view.numbers = columns.map(({ title }) => {
    const cell = { main: element("span", { class: "main" }), sub: element("small"), meter: element("span", { class: "meter" }) }
    cell.meter.append(element("span"))
    cell.node = element("dd", {}, cell.main, cell.meter, cell.sub)
    cell.box = element("div", {}, element("dt", { text: title }), cell.node)
    return cell
  })
  view.controls = makeControls(query)
  view.batchTitle = element("h3", { id: "batch-title" })
  view.batchHint = element("p", { class: "hint" })
  view.batch = element("div", { class: "batch-body" })
  view.charts = makeCharts(() => renderBatch(view))
  view.plan = element("div", { class: "plan" })
  view.state = element("ul", { class: "keeps" })
  view.timeFacts = element("ul", { class: "time-facts" })
  view.advice = makeAdvice(query, view.controls)
  view.root.append(
    element("p", { class: "back" }, element("a", { href: "#/", text: "All queries" })),
    view.heading, view.problems, element("dl", { class: "numbers" }, ...view.numbers.map((cell) => cell.box)),
    view.controls.root,
    section("batches", "Batches", rangeChoice(view), element("div", { class: "with-batch" }, view.charts.root,
      element("section", { class: "batch", "aria-labelledby": "batch-title" }, view.batchTitle, view.batchHint, view.batch))),
    view.advice.root,
    section("plan", "Plan", view.plan),
    section("keeps", "What each side keeps, and until when", view.state, view.timeFacts),
  )
  return view
}

function section(id, title, ...children) {
  return element("section", { "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title`, text: title }), ...children)
}

function rangeChoice(view) {
  const change = (event) => {
    view.charts.range = Number(event.target.value)
    render()
  }
  return element("p", { class: "range" }, element("label", { for: "range", text: "Show" }),
    element("select", { id: "range", on: { change } },
      ...ranges.map(([text, value]) => element("option", { value, text }))))
}

function renderQuery(view, now) {
  const { query } = view
  const measures = measure(query, now)
  const found = problems(query, measures, now)
  view.problems.hidden = !found.length
  replaceIfChanged(view.problems, found, () =>
    found.map(({ level, text }) => element("li", { class: `level-${level}`, text })))
  columns.forEach((column, index) => {
    const content = column.cell(query, measures, now)
    view.numbers[index].box.hidden = !content
    renderCell(view.numbers[index], content)
  })
  renderControls(view.controls, query)
  renderCharts(view.charts, query, now)
  renderBatch(view)
  renderPlan(view, measures, now)
  drawAdvice(view.advice)
}

function renderBatch(view) {
  const point = selectedPoint(view.charts)
  if (!point) {
    setText(view.batchTitle, "No batch yet")
    return
  }
  const { isHeld, isPointed } = view.charts
  setText(view.batchTitle, `Batch ${number(point.id)}`)
  setText(view.batchHint, isHeld ? "Held. Escape or another click lets go." : isPointed ? "Click to hold it."
    : "The newest. Point at the charts, or use the arrow keys there, for another.")
  replaceIfChanged(view.batch, [point.id, point.at, view.query.sources], () => batchDetails(view.query, point))
}

function renderPlan(view, measures, now) {
  const { query } = view
  if (!query.plan) return
  replaceIfChanged(view.plan, query.plan, () => [query.plan.physical ? drawPlan(query) : null])
  replaceIfChanged(view.state, query.plan.state, () => makeStateList(query))
  replaceIfChanged(view.timeFacts, query.plan.time, () =>
    (query.plan.time ?? []).map((text) => element("li", { text: `${text}.` })))
  renderPlanNumbers(view.plan, query, measures, now)
  renderStateList(view.state, query, measures, now)
}
