// Five charts over one time axis, with one cursor through all of them: it stands on a batch. The pointer moves it, the
// arrow keys move it, a click holds it; otherwise it follows the newest batch.

const chartHeight = 96
const chartMargin = { left: 76, right: 14, top: 8, bottom: 6 }

/**
 * The charts of a query: `title`, `format` of a value, `series` (`name`, `value` of a point, `kind`, `base` below it),
 * `marks` drawn across, and how the scale is to be.
 */
function chartsOf(query, points) {
  const isJoin = points.some((point) => point.state)
  return [ratesChart(points), batchTimeChart(query, points), isJoin ? stateChart(query, points) : rowsChart(),
    watermarkChart(query, points), latencyChart(query, points) ?? backlogChart(query, points)].filter(Boolean)
}

function ratesChart(points) {
  const arrivals = arrivalRates(points)
  return {
    title: "Rows a second",
    format: (value) => perSecond(value),
    tick: number,
    series: [
      { name: "input", value: (point) => arrivals.get(point) ?? null, breaks: true },
      { name: "processed while busy", value: (point) => (point.rowsIn ? point.processedRate : null), breaks: true },
    ],
  }
}

/** Batches without data come between those with: a rate is over the time since the last batch that had rows. */
function arrivalRates(points) {
  const rates = new Map()
  let before = null
  for (const point of points) {
    if (!point.rowsIn) continue
    if (before) rates.set(point, (1000 * point.rowsIn) / Math.max(1, point.at - before.at))
    before = point
  }
  return rates
}

/** The parts of a batch in their order, in milliseconds; what no part has been measured for comes last. */
const phaseParts = [
  ["ask for offsets", ({ phases }) => phases.latestOffset],
  ["log offsets", ({ phases }) => phases.walCommit],
  ["read and join", ({ phases, state }) => phases.getBatch + phases.addBatch - durableMillis(phases, state)],
  ["make durable", ({ phases, state }) => durableMillis(phases, state)],
  ["commit", ({ phases }) => phases.commitOffsets],
]

/** Until state and staged output were on the disk; Spark's `addBatch` has it in it. */
function durableMillis(phases, state) {
  return Math.min(phases.addBatch, state?.commitMillis ?? 0)
}

/** One bar a batch, its parts one above the other. Records have whole milliseconds, so the parts of short ones are 0. */
function batchTimeChart(query, points) {
  const interval = intervalMillis(query.trigger)
  const known = phaseParts.filter(([, value]) => points.some((point) => value(point) > 0))
  const total = (point) => sum(known.map(([, value]) => value(point)))
  const rest = (point) => Math.max(total(point) ? 0 : 0.5, point.millis - total(point))
  const parts = [...known, ["other", rest]].filter(([name, value]) => name !== "other" || points.some((point) => value(point) > 0))
  const series = parts.map(([name, value], index) => ({
    name,
    kind: "stack",
    base: (point) => sum(parts.slice(0, index).map(([, below]) => below(point))),
    value: (point) => sum(parts.slice(0, index + 1).map(([, below]) => below(point))),
    shown: (point) => (name === "other" ? Math.max(0, point.millis - total(point)) : value(point)),
  }))
  return {
    title: "Batch time",
    format: batchMillis,
    tick: duration,
    isTime: true,
    scale: "never",
    series,
    marks: interval ? [{ value: interval, label: `trigger interval ${duration(interval)}` }] : [],
  }
}

function latencyChart(query, points) {
  if (!points.some((point) => point.latency)) return null
  const behind = (points.at(-1)?.sources ?? []).map((_, index) => ({
    name: `behind ${sourceName(query, index)}`,
    value: ({ sources }) => (sources[index]?.behindSeconds === null ? null : (sources[index]?.behindSeconds ?? 0) * 1000),
    breaks: true,
  }))
  return {
    title: "Latency, arrival to result",
    format: batchMillis,
    tick: duration,
    isTime: true,
    series: [
      { name: "p50", value: (point) => point.latency?.p50 ?? null, breaks: true },
      { name: "p99", value: (point) => point.latency?.p99 ?? null, breaks: true },
      ...behind.filter(({ value }) => points.some((point) => value(point) > 0)),
    ],
  }
}

function stateChart(query, points) {
  const { state } = points.findLast((point) => point.state)
  const side = ({ name, of }) => ({ name, value: (point) => of(point)?.rows ?? null, kind: "step" })
  return {
    title: "Rows in state",
    format: number,
    tick: number,
    isWhole: true,
    scale: "never",
    series: [
      ...stateSides(query, state).map(side),
      { name: "left in the batch", value: (point) => point.state?.removed ?? null, kind: "bars" },
    ],
  }
}

function rowsChart() {
  return {
    title: "Rows a batch",
    format: number,
    tick: number,
    isWhole: true,
    series: [
      { name: "in", value: (point) => point.rowsIn },
      { name: "out", value: (point) => point.rowsOut },
    ],
  }
}

function watermarkChart(query, points) {
  const ofSources = (points.at(-1)?.sources ?? []).map((_, index) => ({
    name: sourceName(query, index),
    value: (point) => behindNow(point, point.sources[index]?.watermark),
  }))
  // Most stages go by the query's watermark itself, which is that of a source.
  const ofStages = (points.at(-1)?.state?.stages ?? [])
    .filter(({ name }) => points.some((point) => (stageOf(point, name)?.watermark ?? point.watermark) !== point.watermark))
    .map(({ name }) => ({ name: `stage ${name}`, value: (point) => behindNow(point, stageOf(point, name)?.watermark) }))
  const series = [...ofSources, ...ofStages].filter(({ value }) => points.some((point) => value(point) !== null))
  if (!series.length) return null
  return { title: "Watermark, behind the clock", format: duration, tick: duration, isTime: true, series, scale: "never" }
}

function behindNow(point, mark) {
  return mark === null || mark === undefined ? null : point.at - mark
}

/** In seconds where a source knows them, in rows or bytes otherwise. */
function backlogChart(query, points) {
  const last = points.at(-1)
  if (!last) return null
  const hasSeconds = points.some((point) => point.sources.some((source) => source.behindSeconds !== null))
  const millis = (seconds) => (seconds === null || seconds === undefined ? null : seconds * 1000)
  const value = (source) => (hasSeconds ? millis(source?.behindSeconds) : (source?.behind ?? null))
  const isRows = last.sources.some((source) => source.isKafka)
  const format = hasSeconds ? duration : isRows ? (rows) => counted(rows, "row") : bytes
  const series = last.sources
    .map((_, index) => ({
      name: sourceName(query, index),
      value: (point) => value(point.sources[index]),
    }))
    .filter((each) => points.some((point) => each.value(point) !== null))
  if (!series.length) return null
  const title = hasSeconds ? "Behind the source, in time" : "Not read yet"
  return { title, format, tick: format, series, isTime: hasSeconds, isWhole: !hasSeconds, scale: "never" }
}

// MARK: Drawing

/** Colours begin again behind the last. */
function seriesClass(index) {
  return `series-${index % 6}`
}

/** - onSelect: called with the batch under the cursor when that is another. */
function makeCharts(onSelect) {
  const root = element("div", {
    class: "charts", role: "slider", tabindex: 0, id: "charts", "aria-label": "Batch under the cursor of the charts",
    "aria-orientation": "horizontal",
  })
  const view = { root, charts: [], points: [], selected: null, isHeld: false, range: 0, width: 0, onSelect }
  root.addEventListener("pointermove", (event) => { if (!view.isHeld) select(view, pointAt(view, event)) })
  root.addEventListener("pointerleave", () => { if (!view.isHeld) follow(view) })
  root.addEventListener("click", (event) => hold(view, pointAt(view, event)))
  root.addEventListener("keydown", (event) => moveByKey(view, event))
  new ResizeObserver(() => requestRender()).observe(root)
  return view
}

function renderCharts(view, query, now) {
  const width = view.root.clientWidth
  if (!width) return
  view.width = width
  view.points = inRange(query.points, view.range)
  if (view.isHeld && !view.points.some((point) => point.id === view.selected)) view.isHeld = false
  view.span = timeSpan(view.points, now)
  view.x = (at) =>
    chartMargin.left + ((at - view.span.start) / (view.span.end - view.span.start)) * plotWidth(view)
  const wanted = chartsOf(query, view.points)
  // Where only the numbers have changed, the elements stay.
  replaceIfChanged(view.root, wanted.map(({ title, series }) => [title, series.map(({ name }) => name)]), () => {
    view.charts = wanted.map(makeChart)
    view.axis = svg("svg", { class: "axis", height: 22, "aria-hidden": "true" })
    return [...view.charts.map((chart) => chart.root), view.axis]
  })
  wanted.forEach((spec, index) => drawChart(view, view.charts[index], spec))
  drawAxis(view, now)
  if (!view.isHeld && !view.isPointed) follow(view)
  drawCursor(view)
}

function plotWidth(view) {
  return view.width - chartMargin.left - chartMargin.right
}

function inRange(points, range) {
  if (!range || !points.length) return points
  const from = points.at(-1).at - range
  return points.filter((point) => point.at >= from)
}

/** Up to now while the query works; where it has been quiet for long, its last batches keep the room. */
function timeSpan(points, now) {
  if (!points.length) return { start: now - 60_000, end: now }
  const [first, last] = [points[0].at, points.at(-1).at]
  const known = Math.max(last - first, 10_000)
  const end = now - last < known / 2 ? Math.max(now, last) : last + known / 20
  return { start: Math.min(first, end - 10_000), end }
}

function makeChart(spec) {
  const values = spec.series.map(() => element("span", { class: "value" }))
  const legend = spec.series.map((series, index) =>
    element("span", { class: `key ${seriesClass(index)} ${series.kind ?? "line"}` }, element("i"), `${series.name} `, values[index]),
  )
  const drawing = svg("svg", { height: chartHeight, role: "img", "aria-label": spec.title })
  const note = element("span", { class: "note" })
  const caption = element("figcaption", {}, element("b", { text: spec.title }), ...legend, note)
  return { root: element("figure", { class: "chart" }, caption, drawing), drawing, values, note, cursor: null }
}

function drawChart(view, chart, spec) {
  const { points } = view
  const values = points.flatMap((point) => spec.series.map((series) => series.value(point)))
  const marks = marksOn(spec, values)
  const scale = makeScale([...values, ...marks.filter((mark) => !mark.isAbove).map((mark) => mark.value)], {
    isTime: spec.isTime, isWhole: spec.isWhole, logarithmic: spec.scale ?? "auto",
  })
  const inner = chartHeight - chartMargin.top - chartMargin.bottom
  const y = (value) => chartMargin.top + (1 - scale.place(value)) * inner
  setText(chart.note, scale.isLogarithmic ? "logarithmic" : "")
  setAttribute(chart.drawing, "width", view.width)
  setAttribute(chart.drawing, "viewBox", `0 0 ${view.width} ${chartHeight}`)
  chart.spec = spec
  chart.y = y
  chart.cursor = svg("g", { class: "cursor" })
  chart.drawing.replaceChildren(
    ...scale.ticks.flatMap((tick) => gridLine(view, y(tick), tick === 0 ? "0" : spec.tick(tick))),
    ...spec.series.map((series, index) => drawSeries(view, series, index, y)),
    ...marks.flatMap((mark) => markLine(view, mark.isAbove ? chartMargin.top : y(mark.value), mark.label)),
    chart.cursor,
  )
}

/** A mark far above all values stays at the upper edge: it must not press them flat. */
function marksOn(spec, values) {
  const highest = Math.max(...values.filter((value) => value !== null), 0)
  return (spec.marks ?? []).map((mark) => {
    const isAbove = spec.scale === "never" && mark.value > 3 * highest
    return isAbove ? { ...mark, isAbove, label: `${mark.label}, above this scale` } : mark
  })
}

function gridLine(view, y, label) {
  return [
    svg("line", { class: "grid", x1: chartMargin.left, x2: view.width - chartMargin.right, y1: y, y2: y }),
    svg("text", { class: "tick", x: chartMargin.left - 6, y: y + 4, "text-anchor": "end" }, label),
  ]
}

function markLine(view, y, label) {
  const right = view.width - chartMargin.right
  // The label stands under its line where there is no room above.
  const labelY = y < 16 ? y + 12 : y - 4
  return [
    svg("line", { class: "mark", x1: chartMargin.left, x2: right, y1: y, y2: y }),
    svg("text", { class: "mark-label", x: right, y: labelY, "text-anchor": "end" }, label),
  ]
}

function drawSeries(view, series, index, y) {
  const shape = { bars: barsPath, stack: barsPath, step: stepPath }[series.kind] ?? linePath
  const path = shape(view, series, y)
  const isSparse = view.points.length <= plotWidth(view) / 6
  const kind = series.kind ?? "line"
  const width = kind === "stack" ? Math.max(1.5, Math.min(9, (0.7 * plotWidth(view)) / view.points.length)) : null
  return svg("g", { class: `series ${seriesClass(index)} ${kind}` }, svg("path", { d: path, "stroke-width": width }),
    kind === "line" && isSparse ? svg("path", { class: "dots", d: dotsPath(view, series, y) }) : null)
}

function places(view, series, y) {
  return view.points.map((point) => {
    const value = series.value(point)
    return value === null ? null : { x: view.x(point.at), y: y(value), at: point.at }
  })
}

function linePath(view, series, y) {
  const pauseMax = series.breaks ? longPause(view.points) : Infinity
  let before = null
  return places(view, series, y)
    .map((place) => {
      if (!place) return ""
      const isJoined = before && place.at - before.at <= pauseMax
      before = place
      return `${isJoined ? "L" : "M"}${fixed(place.x)} ${fixed(place.y)}`
    })
    .join("")
}

/** No line is drawn over a time without batches. */
function longPause(points) {
  const pauses = points.slice(1).map((point, index) => point.at - points[index].at)
  return Math.max(5000, 6 * (median(pauses) ?? 0))
}

/** A value holds until the next batch. */
function stepPath(view, series, y) {
  const known = places(view, series, y).filter(Boolean)
  if (!known.length) return ""
  const steps = known.slice(1).map((place) => `H${fixed(place.x)}V${fixed(place.y)}`)
  return `M${fixed(known[0].x)} ${fixed(known[0].y)}${steps.join("")}`
}

function barsPath(view, series, y) {
  return places(view, series, y)
    .map((place, index) => {
      const floor = y(series.base?.(view.points[index]) ?? 0)
      return place && floor - place.y > 0.2 ? `M${fixed(place.x)} ${fixed(floor)}V${fixed(place.y)}` : ""
    })
    .join("")
}

function dotsPath(view, series, y) {
  return places(view, series, y).filter(Boolean).map((place) => `M${fixed(place.x)} ${fixed(place.y)}h0`).join("")
}

function fixed(value) {
  return value.toFixed(1)
}

function drawAxis(view, now) {
  const { start, end } = view.span
  const { ticks, step } = timeTicks(start, end, Math.max(2, Math.floor(plotWidth(view) / 110)))
  const label = (tick) => (step >= 86_400_000 ? time(tick, 0).slice(0, 10) : time(tick, tick).slice(0, step < 60_000 ? 8 : 5))
  setAttribute(view.axis, "width", view.width)
  const left = chartMargin.left
  view.axis.replaceChildren(
    svg("text", { x: 0, y: 15 }, "UTC"),
    ...ticks.filter((tick) => view.x(tick) >= left + 12 && view.x(tick) <= view.width - 30).map((tick) =>
      svg("text", { x: view.x(tick), y: 15, "text-anchor": "middle" }, label(tick))),
  )
}

// MARK: The cursor

function pointAt(view, event) {
  const x = event.clientX - view.root.getBoundingClientRect().left
  view.isPointed = true
  let best = null
  for (const point of view.points) {
    if (!best || Math.abs(view.x(point.at) - x) <= Math.abs(view.x(best.at) - x)) best = point
  }
  return best
}

function select(view, point) {
  if (!point || point.id === view.selected) return
  view.selected = point.id
  drawCursor(view)
  view.onSelect(point)
}

function follow(view) {
  view.isHeld = false
  view.isPointed = false
  select(view, view.points.at(-1))
}

/** A click on the batch that is held lets go of it. */
function hold(view, point) {
  const isSame = view.isHeld && point?.id === view.selected
  view.isHeld = !isSame
  if (isSame) follow(view)
  else select(view, point)
  render()
}

function moveByKey(view, event) {
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10,
    Home: -Infinity, End: Infinity }
  if (event.key === "Escape") follow(view)
  else if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey || !view.points.length) return
  else {
    const at = view.points.findIndex((point) => point.id === view.selected)
    const next = Math.max(0, Math.min(view.points.length - 1, at + steps[event.key]))
    // At the newest batch the cursor follows again.
    view.isHeld = next < view.points.length - 1
    view.isPointed = false
    select(view, view.points[next])
  }
  event.preventDefault()
  render()
}

function selectedPoint(view) {
  return view.points.find((point) => point.id === view.selected) ?? view.points.at(-1) ?? null
}

function drawCursor(view) {
  const point = selectedPoint(view)
  setAttribute(view.root, "aria-valuemin", view.points[0]?.id ?? 0)
  setAttribute(view.root, "aria-valuemax", view.points.at(-1)?.id ?? 0)
  setAttribute(view.root, "aria-valuenow", point?.id ?? 0)
  setAttribute(view.root, "aria-valuetext", point ? batchSentence(point) : "no batch yet")
  for (const chart of view.charts) {
    chart.cursor.replaceChildren()
    chart.spec.series.forEach((series, index) => {
      const value = point ? (series.shown ?? series.value)(point) : null
      setText(chart.values[index], value === null ? "–" : chart.spec.format(value))
    })
    if (!point) continue
    const x = view.x(point.at)
    chart.cursor.append(svg("line", { x1: x, x2: x, y1: chartMargin.top, y2: chartHeight - chartMargin.bottom }))
    chart.spec.series.forEach((series, index) => {
      const value = series.kind === "stack" ? null : series.value(point)
      if (value !== null) chart.cursor.append(svg("circle", { class: seriesClass(index), cx: x, cy: chart.y(value), r: 3.5 }))
    })
  }
}

function batchSentence(point) {
  return `batch ${point.id}, ${time(point.at)} UTC, ${counted(point.rowsIn, "row")} in, ${counted(point.rowsOut ?? 0, "row")} out, `
    + batchMillis(point.millis)
}
