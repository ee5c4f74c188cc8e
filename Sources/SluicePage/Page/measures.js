// From batches to the numbers and sentences of the first screen.

/** How far back "now" reaches: a minute, or five triggers where that is more. */
function windowMillis(query) {
  return Math.max(60_000, 5 * (intervalMillis(query.trigger) ?? 0))
}

/** The numbers of a query at `now`; null what does not exist. */
function measure(query, now) {
  const points = query.points
  const last = points.at(-1) ?? null
  const span = windowMillis(query)
  const recent = points.filter((point) => point.at > now - span)
  // Without a batch for a while, the last ones still tell how long a batch takes.
  const timed = recent.length >= 5 ? recent : points.slice(-20)
  const withRows = timed.filter((point) => point.rowsIn > 0)
  const busy = sum(withRows.map((point) => point.millis))
  const interval = intervalMillis(query.trigger)
  const batchMedian = quantile(timed.map((point) => point.millis), 0.5)
  return {
    last,
    recent,
    interval,
    inputRate: last ? rate(query, recent, now, span, (point) => point.rowsIn) : null,
    outputRate: last && last.rowsOut !== null ? rate(query, recent, now, span, (point) => point.rowsOut) : null,
    processedRate: withRows.length ? (1000 * sum(withRows.map((point) => point.rowsIn))) / Math.max(1, busy) : null,
    batchMedian,
    batchHigh: quantile(timed.map((point) => point.millis), 0.95),
    share: interval && batchMedian !== null ? batchMedian / interval : null,
    latency: measureLatency(timed),
    matches: measureMatches(query),
    growthPerHour: growth(points),
    holder: holder(query, last),
    sources: last ? last.sources.map((source, index) => measureSource(query, index, now)) : [],
    late: lastSum(recent, (source) => source.late),
    bad: lastSum(recent, (source) => source.bad),
  }
}

/** Milliseconds from a row's arrival in its source to its result; null where no batch knows. */
function measureLatency(points) {
  const known = points.map((point) => point.latency).filter(Boolean)
  if (!known.length) return null
  return { p50: quantile(known.map(({ p50 }) => p50), 0.5), p99: quantile(known.map(({ p99 }) => p99), 0.99) }
}

/** For each side that an outer join preserves: how many of its rows have left with a partner, and how many wait. */
function measureMatches(query) {
  const { points } = query
  const last = points.at(-1)
  if (!last?.state) return []
  return stateSides(query, last.state).flatMap(({ name, stage, of }) => {
    const { rows, matched } = of(last)
    if (matched === null || !planStage(query, stage)?.type.includes("outer")) return []
    const total = (what) => sum(points.map((point) => of(point)?.[what] ?? 0))
    return [{ name, matched: total("matched"), unmatched: total("unmatched"), waiting: rows }]
  })
}

/** A second over the window, or over what is known of it. */
function rate(query, recent, now, span, value) {
  const first = query.points[0].at
  const known = Math.min(span, Math.max(1000, now - first))
  return (1000 * sum(recent.map(value))) / known
}

function lastSum(points, value) {
  return sum(points.flatMap((point) => point.sources.map(value)))
}

/** Of one source. A join that was added has brought a source that batches before did not have. */
function sourceSum(points, index, name) {
  return sum(points.map((point) => point.sources[index]?.[name] ?? 0))
}

/** Rows of state an hour, by the first and last of the batches; null below a minute of them. */
function growth(points) {
  const [first, last] = [points[0], points.at(-1)]
  if (!last?.state || !first.state || last.at - first.at < 60_000) return null
  return ((last.state.rows - first.state.rows) * 3_600_000) / (last.at - first.at)
}

/**
 * The source whose watermark is behind all others', which then is the query's; null without one. Parts of a union that
 * have one watermark hold it together: `name`, and the `indices` of its sources.
 */
function holder(query, last) {
  const marks = last?.sources.map((source) => source.watermark) ?? []
  const known = marks.filter((mark) => mark !== null)
  if (known.length < 2 || Math.min(...known) === Math.max(...known)) return null
  const lowest = Math.min(...known)
  // Under the policy `max` the query's watermark is ahead of the slowest source.
  if (last.watermark !== null && last.watermark > lowest) return null
  const first = marks.indexOf(lowest)
  const union = query.sources[first]?.union ?? null
  const isPart = (index) => union !== null && query.sources[index]?.union === union && marks[index] === lowest
  const indices = marks.map((_, index) => index).filter((index) => index === first || isPart(index))
  return { name: indices.length > 1 ? union : sourceName(query, first), indices }
}

function measureSource(query, index, now) {
  const source = query.points.at(-1).sources[index]
  const rowsAt = query.rowsAt[index] ?? null
  return {
    name: query.sources[index]?.name ?? shortDescription(source.description),
    isSilentSince: rowsAt ?? query.knownSince,
    hasSpoken: rowsAt !== null,
    silentMillis: now - (rowsAt ?? query.knownSince),
    behind: source.behind,
    behindSeconds: source.behindSeconds,
    isKafka: source.isKafka,
    watermark: source.watermark,
  }
}

/** `FileSource[/a/b/visits.jsonl]` without the folders. */
function shortDescription(description) {
  const inner = /\[(.*?)\]*$/.exec(description)?.[1] ?? description
  return inner.split("/").pop() || description
}

function behindText(source) {
  if (source.behind === null) return null
  return source.isKafka ? counted(source.behind, "row") : bytes(source.behind)
}

// MARK: Problems

/** Sentences about what needs a person, the gravest first: `{ level, text }` with level 3 (broken) to 0 (to know). */
function problems(query, measures, now) {
  const found = [
    brokenProblem(query),
    waitingProblem(query),
    ...slowProblems(query, measures),
    ...behindProblems(query, measures),
    silentProblem(query, measures),
    ...rowProblems(query, measures),
    pausedProblem(query),
    triggerProblem(query),
  ]
  return found.filter(Boolean).sort((a, b) => b.level - a.level)
}

function brokenProblem(query) {
  if (query.status === "failed") return { level: 3, text: `failed: ${query.error ?? "no reason was given"}` }
  if (query.status === "restarting") return { level: 3, text: `waits to try again: ${query.error ?? "after an error"}` }
  return null
}

function waitingProblem(query) {
  return query.waitingFor === null ? null : { level: 3, text: `waits for ${query.waitingFor}, which does not answer` }
}

function slowProblems(query, { share, interval, batchMedian, recent }) {
  if (share === null || recent.length < 3 || isOver(query)) return []
  const took = `half of its batches take ${duration(batchMedian)} or more`
  if (share > 1) return [{ level: 2, text: `falls behind its trigger: ${took}, and one is due every ${duration(interval)}` }]
  if (share > 0.7) return [{ level: 1, text: `little room: ${took}, ${percent(share)} of its interval` }]
  return []
}

function behindProblems(query, { sources, interval }) {
  if (isOver(query)) return []
  const limit = Math.max(60, (5 * (interval ?? 0)) / 1000)
  return sources
    .filter((source) => source.behindSeconds > limit && source.behind > 0)
    .map((source) => ({
      level: 2,
      text: `${duration(source.behindSeconds * 1000)} behind ${source.name}, ${behindText(source)} of it are not read yet`,
    }))
}

/** One source is silent while others are not, and rows wait for its watermark. */
function silentProblem(query, measures) {
  const { holder, sources, last, interval } = measures
  if (holder === null || isOver(query) || query.status === "paused") return null
  // Values that a deduplication remembers wait for nothing.
  const waiting = sum((last.state?.stages ?? []).filter((stage) => stage.isJoin).map((stage) => stage.rows))
  if (!waiting) return null
  const silent = holder.indices.map((index) => sources[index]).reduce((a, b) => (a.silentMillis <= b.silentMillis ? a : b))
  const limit = Math.max(60_000, 5 * (interval ?? 0))
  const others = sources.filter((source, index) => !holder.indices.includes(index) && source.hasSpoken)
  if (silent.silentMillis < limit || !others.some((other) => other.isSilentSince > silent.isSilentSince)) return null
  const ahead = Math.max(...others.map((other) => other.watermark)) - silent.watermark
  return {
    level: 2,
    text:
      `${counted(waiting, "row")} in state wait for ${holder.name}: ${holder.name} has been silent for ` +
      `${silent.hasSpoken ? "" : "at least "}${duration(silent.silentMillis)}, and its watermark is ` +
      `${duration(ahead)} behind ${others.map((other) => other.name).join(" and ")}`,
  }
}

const lateShareMax = 0.01

function rowProblems(query, { recent, sources }) {
  const list = []
  sources.forEach((source, index) => {
    const [rows, late, bad] = ["rows", "late", "bad"].map((name) => sourceSum(recent, index, name))
    const some = (count) => `${counted(count, "row")} of ${source.name}${rows ? ` (${percent(count / rows)})` : ""}`
    // One row in a hundred late is what a delay is chosen for; the column has their number.
    if (late) list.push({ level: late > lateShareMax * rows ? 1 : 0, text: `${some(late)} came late and were dropped` })
    if (bad) list.push({ level: 1, text: `${some(bad)} could not be read` })
  })
  return list
}

function pausedProblem(query) {
  return query.status === "paused" ? { level: 1, text: "paused" } : null
}

function triggerProblem(query) {
  if (query.trigger === query.specTrigger || isOver(query)) return null
  return { level: 0, text: `trigger ${query.trigger}, set by hand; the spec says ${query.specTrigger}` }
}

function isOver(query) {
  return query.status === "failed" || query.status === "finished"
}
