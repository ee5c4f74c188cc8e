// Which interval would be better: the server's forecast for a range of them, as a curve with today's interval on it, as
// a table, and in sentences.

const adviceHeight = { latency: 150, share: 90, axis: 34, between: 42 }

function makeAdvice(query, controls) {
  const view = { query, controls, answer: null, isAsking: false }
  view.latency = element("input", { id: "latency", type: "text", size: 8, autocomplete: "off", placeholder: "2s" })
  view.ask = element("button", { type: "submit", text: "Work it out again" })
  view.error = element("p", { class: "error", role: "alert" })
  view.body = element("div", { class: "advice-body", "aria-live": "off" })
  const submit = (event) => {
    event.preventDefault()
    askForAdvice(view)
  }
  view.root = element("section", { class: "advice", "aria-labelledby": "advice-title" },
    element("h2", { id: "advice-title", text: "Which interval?" }), view.body,
    element("form", { on: { submit } },
      element("label", { for: "latency", text: "Latency that is wanted, from arrival to result (may be empty)" }),
      view.latency, view.ask), view.error)
  new ResizeObserver(() => drawAdvice(view)).observe(view.body)
  return view
}

async function askForAdvice(view) {
  if (view.isAsking) return
  view.isAsking = true
  setText(view.error, "")
  const latency = view.latency.value.trim()
  try {
    const rest = latency ? `?latency=${encodeURIComponent(latency)}` : ""
    view.answer = await request(queryPath(view.query.name, `/tune${rest}`))
  } catch (error) {
    setText(view.error, error.status === 404 ? "This server gives no advice for this query." : error.message)
  }
  view.isAsking = false
  view.drawn = null
  drawAdvice(view)
}

function drawAdvice(view) {
  const { answer } = view
  const width = view.body.clientWidth
  const key = `${width} ${view.query.trigger}`
  if (!answer || !width || view.drawn === key) return
  view.drawn = key
  const curve = candidatesWithPlace(answer)
  view.body.replaceChildren(
    element("p", { class: "recommended", text: recommendation(answer, view.query) }),
    ...(curve.length > 1
      ? [adviceLegend(curve), adviceCurve(view, curve, width)]
      : [element("p", { text: "There is no curve to draw yet." })]),
    element("ul", { class: "reasons" }, ...(answer.reasons ?? []).map((text) => element("li", { text }))),
    answer.candidates.length ? candidateTable(view) : element("p"),
  )
}

function recommendation(answer, query) {
  if (!answer.recommended) return `No interval can be recommended; ${query.trigger} is in force.`
  if (answer.recommended === query.trigger) return `${answer.recommended} is recommended, and in force.`
  return `${answer.recommended} is recommended; ${query.trigger} is in force.`
}

/** Without an interval a batch follows the other: its time stands for it. */
function candidatesWithPlace(answer) {
  return answer.candidates
    .map((each) => ({ ...each, millis: intervalMillis(each.trigger) ?? each.batchMs }))
    .filter((each) => each.millis > 0 && each.latencyMs.p99 !== null)
    .sort((a, b) => a.millis - b.millis)
}

function adviceCurve(view, curve, width) {
  const { latency, share, axis, between } = adviceHeight
  const margin = { left: 76, right: 20, top: 22 }
  const [low, high] = [Math.log10(curve[0].millis), Math.log10(curve.at(-1).millis)]
  const x = (millis) => margin.left + ((Math.log10(millis) - low) / (high - low || 1)) * (width - margin.left - margin.right)
  const latencyScale = makeScale(curve.flatMap((each) => [each.latencyMs.p50, each.latencyMs.p99]), { isTime: true })
  const latencyY = (value) => margin.top + (1 - latencyScale.place(value)) * (latency - margin.top)
  const shares = curve.map((each) => each.utilisation).filter((value) => value !== null)
  const top = Math.max(1, Math.min(2, ...shares.map((value) => value * 1.1)))
  const shareY = (value) => latency + between + (1 - Math.min(value, top) / top) * (share - 16)
  const height = latency + between + share + axis - 10
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": "Latency and use of the interval by trigger interval; the table below has the same numbers" })
  drawing.append(
    ...unstableArea(curve, x, margin.top, height - axis - margin.top, margin.left),
    svg("text", { class: "title", x: 0, y: 12 }, "Latency, from arrival to result"),
    ...latencyScale.ticks.flatMap((tick) => adviceGrid(width, margin, latencyY(tick), duration(tick))),
    svg("path", { class: "series-0", d: advicePath(curve, x, (each) => latencyY(each.latencyMs.p50)) }),
    svg("path", { class: "series-1", d: advicePath(curve, x, (each) => latencyY(each.latencyMs.p99)) }),
    svg("text", { class: "title", x: 0, y: latency + 26 }, "Share of the interval that a batch takes"),
    ...[0, 0.7, 1].flatMap((tick) => adviceGrid(width, margin, shareY(tick), percent(tick))),
    svg("path", { class: "series-0", d: advicePath(curve.filter((each) => each.utilisation !== null), x,
      (each) => shareY(each.utilisation)) }),
    ...adviceTicks(curve, x, height, width),
    ...adviceMarks(view, curve, x, height - axis, margin.top),
  )
  return drawing
}

function adviceLegend(curve) {
  const key = (name, text) => element("span", { class: `key ${name}` }, element("i"), text)
  return element("p", { class: "legend" }, key("series-0", "half of the rows are out"), key("series-1", "99 of 100 are out"),
    curve.some((each) => each.stable === false) ? key("unstable", "not stable at twice today’s rate") : null)
}

function advicePath(curve, x, y) {
  return curve.map((each, index) => `${index ? "L" : "M"}${fixed(x(each.millis))} ${fixed(y(each))}`).join("")
}

function adviceGrid(width, margin, y, label) {
  return [
    svg("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: y, y2: y }),
    svg("text", { class: "tick", x: margin.left - 6, y: y + 4, "text-anchor": "end" }, label),
  ]
}

/** Up to the longest interval that does not hold twice today's rate. */
function unstableArea(curve, x, top, height, left) {
  const unstable = curve.filter((each) => each.stable === false)
  if (!unstable.length) return []
  const stable = curve.filter((each) => each.stable)
  const right = stable.length ? (x(unstable.at(-1).millis) + x(stable[0].millis)) / 2 : x(unstable.at(-1).millis)
  if (right <= left) return []
  return [svg("rect", { class: "unstable", x: left, y: top, width: right - left, height })]
}

function adviceTicks(curve, x, height, width) {
  let last = -Infinity
  return curve
    .filter((each) => {
      const isClear = x(each.millis) - last >= 46 && x(each.millis) < width - 10
      if (isClear) last = x(each.millis)
      return isClear
    })
    .map((each) => svg("text", { x: x(each.millis), y: height - 18, "text-anchor": "middle" }, shortTrigger(each.trigger)))
}

function shortTrigger(trigger) {
  return trigger === "as_fast_as_possible" ? "no pause" : trigger
}

/** Upright lines at today's interval and at the recommended one. */
function adviceMarks(view, curve, x, bottom, top) {
  const { answer, query } = view
  const now = curve.find((each) => each.trigger === query.trigger)?.millis ?? intervalMillis(query.trigger)
  const best = curve.find((each) => each.trigger === answer.recommended)?.millis
  const inside = (millis) => Math.min(Math.max(millis, curve[0].millis), curve.at(-1).millis)
  const mark = (millis, label, name, y) => {
    const place = x(inside(millis))
    const isRight = place > x(curve.at(-1).millis) * 0.7
    return [
      svg("line", { class: `upright ${name}`, x1: place, x2: place, y1: top, y2: bottom }),
      svg("text", { class: `upright-label ${name}`, x: place + (isRight ? -5 : 5), y, "text-anchor": isRight ? "end" : "start" },
        label),
    ]
  }
  const list = now ? mark(now, `today: ${shortTrigger(query.trigger)}`, "today", top + 28) : []
  return best && answer.recommended !== query.trigger
    ? [...list, ...mark(best, `recommended: ${shortTrigger(answer.recommended)}`, "best", top + 44)]
    : list
}

/** Heading, and from a candidate to its text. */
const adviceColumns = [
  ["Batch", (each) => duration(each.batchMs)],
  ["Of the interval", (each) => (each.utilisation === null ? "–" : percent(each.utilisation))],
  ["Latency p50", (each) => duration(each.latencyMs.p50)],
  ["p99", (each) => duration(each.latencyMs.p99)],
  ["CPU", (each) => percent(each.cpuShare)],
  ["Batches/h", (each) => number(Math.round(each.batchesPerHour))],
  ["Checkpoint/h", (each) => bytes(each.checkpointBytesPerHour)],
  ["Catch up after 1 h", (each) => (each.catchUpSeconds === null ? "never" : duration(each.catchUpSeconds * 1000))],
  ["Stable", (each) => (each.stable === null ? "–" : each.stable ? "yes" : "no")],
]

function candidateTable(view) {
  const take = (trigger) => {
    view.controls.input.value = trigger
    view.controls.input.focus()
  }
  const head = ["Interval", ...adviceColumns.map(([title]) => title), ""].map((text) => element("th", { scope: "col", text }))
  const rows = view.answer.candidates.map((each) => {
    const isBest = each.trigger === view.answer.recommended
    const isToday = each.trigger === view.query.trigger
    const note = [isBest ? "recommended" : "", isToday ? "today" : ""].filter(Boolean).join(", ")
    return element("tr", { class: isBest ? "best" : isToday ? "today" : null },
      element("th", { scope: "row" }, shortTrigger(each.trigger), element("small", { text: note })),
      ...adviceColumns.map(([title, text]) => element("td", { data: { title }, text: knownText(each, text) })),
      element("td", {}, element("button", { type: "button", class: "small", text: "Try",
        "aria-label": `Put ${each.trigger} into the trigger field`, on: { click: () => take(each.trigger) } })))
  })
  return element("details", {}, element("summary", { text: "All intervals, in numbers" }),
    element("table", { class: "candidates" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)))
}

/** A value that the server does not know is a dash. */
function knownText(candidate, text) {
  const shown = text(candidate)
  return shown.includes("NaN") || shown.includes("undefined") ? "–" : shown
}
