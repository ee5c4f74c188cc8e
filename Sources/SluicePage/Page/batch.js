// One batch, in full: what it read, what it did, how long each part took.

/** Spark's phases, in the order in which they happen. */
const phaseWords = {
  latestOffset: "ask for offsets",
  queryPlanning: "plan",
  walCommit: "log offsets",
  getBatch: "open input",
  addBatch: "read, join, make durable",
  commitOffsets: "commit",
}

/** Partitions or files of one source that are listed; more are counted. */
const partitionsShown = 12

function batchDetails(query, point) {
  return [
    element("dl", { class: "facts" },
      ...fact("Started", `${time(point.at)} UTC`),
      ...fact("Took", `${batchMillis(point.millis)}${phasesText(point)}`),
      ...fact("Rows in", number(point.rowsIn)),
      ...(point.rowsOut === null ? [] : fact("Rows out", number(point.rowsOut))),
      ...latencyFacts(point.latency),
      ...watermarkFacts(point),
      ...stateFacts(query, point.state),
      ...point.tables.flatMap((table) => fact(`Table ${table.name}`, tableText(table, point.at))),
      ...(point.checkpointBytes === null ? [] : fact("Checkpoint", bytes(point.checkpointBytes)))),
    ...point.sources.map((source, index) => sourceDetails(query.sources[index]?.name, source)),
  ]
}

function fact(name, text) {
  return [element("dt", { text: name }), element("dd", { text })]
}

function phasesText(point) {
  const known = Object.entries(phaseWords).filter(([name]) => point.phases?.[name] > 0)
  return known.length ? `: ${known.map(([name, words]) => `${words} ${duration(point.phases[name])}`).join(", ")}` : ""
}

function watermarkFacts(point) {
  if (!point.eventTime) return []
  const { min, max } = point.eventTime
  const span = min ? fact("Event times", `${time(Date.parse(min))} to ${time(Date.parse(max))} UTC`) : []
  const mark = point.watermark
  const text = mark === null ? "none yet" : `${time(mark)} UTC, ${duration(Math.abs(point.at - mark))} ` +
    `${mark > point.at ? "ahead of" : "behind"} the clock`
  return [...fact("Watermark", text), ...span]
}

function latencyFacts(latency) {
  if (!latency) return []
  return fact("Latency", `p50 ${batchMillis(latency.p50)}, p99 ${batchMillis(latency.p99)}: rows came at any time since the trigger before`)
}

function stateFacts(query, state) {
  if (!state) return []
  return [
    ...fact("State", `${counted(state.rows, "row")}, ${bytes(state.bytes)}; ${number(state.updated)} came, ` +
      `${number(state.removed)} left; durable in ${batchMillis(state.commitMillis)}`),
    ...state.stages.flatMap((stage) => stageFacts(query, stage, state.stages.length === 1)),
  ]
}

/** The sides of the only stage; of several each below its name. */
function stageFacts(query, stage, isAlone) {
  const sides = sideNames(query, stage, true).flatMap((name, side) => sideFacts(name, stage.sides[side]))
  const { duplicates } = stage
  const dropped = duplicates === null ? [] : fact("duplicates", `${number(duplicates)} dropped`)
  if (isAlone) return [...sides, ...dropped]
  const mark = stage.watermark === null ? "no watermark yet" : `watermark ${time(stage.watermark)} UTC`
  return [element("dt", { class: "stage", text: stage.name }), element("dd", { class: "stage", text: mark }), ...sides, ...dropped]
}

/** @param now in milliseconds since the epoch, as `at` is when the batch began. */
function tableText({ rows, bytes: size, version, age }, at, now = at) {
  return `${counted(rows, "row")}, ${bytes(size)}; version ${version}, taken over ${duration(age + now - at)} ago`
}

function sideFacts(name, { rows, bytes: size, removed, matched, unmatched }) {
  if (rows === null) return []
  const became = matched === null ? "" : `; ${number(matched)} with a partner, ${number(unmatched)} came out alone`
  return fact(`of ${name}`, `${counted(rows, "row")}, ${bytes(size)}, ${number(removed)} left${became}`)
}

function sourceDetails(name, source) {
  const ranges = offsetRanges(source)
  const shown = ranges.slice(0, partitionsShown)
  const duplicates = source.duplicates === null ? "" : `, ${counted(source.duplicates, "duplicate")}`
  const counts = `${counted(source.rows, "row")}, ${number(source.late)} late${duplicates}, ${number(source.bad)} bad` +
    (source.watermark === null ? "" : `; watermark ${time(source.watermark)} UTC`)
  const rows = shown.map(({ name, start, end }) =>
    element("tr", {}, element("td", { text: name }), element("td", { class: "number", text: start ?? "none" }),
      element("td", { class: "number", text: end }),
      element("td", { class: "number", text: end === start ? "–" : grouped.format(end - (start ?? 0)) })))
  const unit = source.isKafka ? "records" : "bytes"
  const head = [source.isKafka ? "partition" : "file", "from", "up to", unit]
  return element("section", { class: "source" },
    element("h4", { text: name ?? shortDescription(source.description) }),
    element("p", { text: counts }),
    element("table", { class: "offsets" },
      element("caption", { text: source.description }),
      element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col", text })))),
      element("tbody", {}, ...rows)),
    ranges.length > shown.length ? element("p", { text: `and ${number(ranges.length - shown.length)} more` }) : null)
}

/** Those that moved first. */
function offsetRanges(source) {
  const starts = new Map(flatOffsets(source.start))
  return flatOffsets(source.end)
    .map(([name, end]) => ({ name: name.split("/").pop(), start: starts.get(name) ?? null, end }))
    .sort((a, b) => Number(a.end === a.start) - Number(b.end === b.start))
}
