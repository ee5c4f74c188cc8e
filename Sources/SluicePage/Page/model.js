// What the page knows: queries and their last batches. Bounded: a page that is left open for a day holds no more than
// one that was just opened.

/** Batches kept of the query that is open, and of every other one. */
const pointsOpen = 1000
const pointsListed = 60

/**
 * Name to a query's object of the API without its progress, and
 * - points: its last batches, digested
 * - rowsAt: for each source when it last had rows, null when not since the page knows of it; outlives the points
 * - knownSince: the first batch the page knows of
 * - plan: as `explain` has it
 * - sources: in the order of the progress records, `name` and the `union` that each is part of, or null
 */
const queries = new Map()

/** Takes a query's object; the numbers of its batches are kept. */
function takeQuery(object) {
  const query = queries.get(object.name) ?? { name: object.name, sources: [], plan: null, id: null, runId: null, ...noBatches() }
  const { status, trigger, specTrigger, batchId, restarts } = object
  Object.assign(query, {
    status, trigger, specTrigger, restarts: restarts ?? 0, batchId: batchId ?? null, error: object.error ?? null,
    waitingFor: object.waitingFor ?? null, backlog: object.backlog ?? null,
  })
  queries.set(query.name, query)
  if (object.plan) takePlan(query, object.plan)
  if (object.lastProgress) takeProgress(object.lastProgress)
  return query
}

function noBatches() {
  return { points: [], rowsAt: [], knownSince: null }
}

/** `explain` wraps its queries in a list. */
function takePlan(query, plan) {
  query.plan = plan.queries ? plan.queries[0] : plan
  query.sources = sourcesOf(query.plan)
}

/**
 * In the order of the progress records: that of the query as it is written, unions by their parts. What runs may read
 * them in another order, and it alone has the parts one by one.
 */
function sourcesOf(plan) {
  const parts = new Map()
  for (const union of planNodes(plan.physical, "Union")) {
    parts.set(plainName(union), planNodes(union, "Source").map(plainName))
  }
  return planNodes(plan.logical, "StreamingRelation").map(plainName).flatMap((name) =>
    parts.has(name) ? parts.get(name).map((part) => ({ name: part, union: name })) : [{ name, union: null }])
}

/** The nodes of a tree that are such an operator, from left to right. */
function planNodes(node, operator) {
  if (!node) return []
  return [...(node.operator === operator ? [node] : []), ...(node.children ?? []).flatMap((child) => planNodes(child, operator))]
}

/** The name that a node's summary begins with, without the quotes that one with a hyphen has there. */
function plainName({ summary }) {
  return summary.split(" [")[0].replaceAll("`", "")
}

function sourceName(query, index) {
  return query.sources[index]?.name ?? `source ${index + 1}`
}

/** Takes one progress record. True when the query was started anew since the record before. */
function takeProgress(record) {
  const query = queries.get(record.name)
  if (!query) return false
  // Another query of the same name: its batches are counted anew.
  if (query.id !== record.id) Object.assign(query, { id: record.id, ...noBatches() })
  const point = digest(record)
  const last = query.points.at(-1)
  // A batch may come twice: in the list that was asked for and as an event, or once more after a crash.
  if (!last || point.id > last.id) query.points.push(point)
  else insert(query, point)
  noteRows(query, point)
  trim(query)
  query.batchId = Math.max(query.batchId ?? 0, record.batchId)
  const isNew = query.runId !== null && query.runId !== record.runId
  query.runId = record.runId
  return isNew
}

function insert(query, point) {
  const index = query.points.findIndex((other) => other.id >= point.id)
  query.points.splice(index, query.points[index].id === point.id ? 1 : 0, point)
}

function noteRows(query, point) {
  query.knownSince = Math.min(query.knownSince ?? point.at, point.at)
  query.rowsAt = point.sources.map(({ rows }, index) => {
    const before = query.rowsAt[index] ?? null
    return rows > 0 ? Math.max(before ?? 0, point.at) : before
  })
}

function trim(query) {
  const limit = query.isOpen ? pointsOpen : pointsListed
  if (query.points.length > limit) query.points.splice(0, query.points.length - limit)
}

/** The part of a record that the page shows. A number that does not exist is null. */
function digest(record) {
  return {
    id: record.batchId,
    at: Date.parse(record.timestamp),
    millis: record.batchDuration,
    rowsIn: record.numInputRows,
    rowsOut: record.sink?.numOutputRows ?? null,
    processedRate: record.processedRowsPerSecond,
    phases: record.durationMs,
    latency: record.latencyMs ?? null,
    checkpointBytes: record.checkpointBytes ?? null,
    watermark: watermarkMillis(record.eventTime?.watermark),
    eventTime: record.eventTime ?? null,
    state: record.stateOperators.length ? stateDigest(record.stateOperators) : null,
    sources: record.sources.map(sourceDigest),
    tables: (record.tables ?? []).map(tableDigest),
  }
}

/** A table as the batch has joined it; `age` since it was taken over, in milliseconds. */
function tableDigest({ name, numRows, memoryUsedBytes, version, ageMs }) {
  return { name, rows: numRows, bytes: memoryUsedBytes, version, age: ageMs }
}

/** All stages together, and each: those first whose rows the others read. Their state is made durable at once. */
function stateDigest(operators) {
  const stages = operators.map(stageDigest).reverse()
  const total = (name) => sum(stages.map((stage) => stage[name]))
  return {
    rows: total("rows"),
    updated: total("updated"),
    removed: total("removed"),
    bytes: total("bytes"),
    commitMillis: Math.max(...operators.map((state) => state.commitTimeMs)),
    stages,
  }
}

function stageDigest(state) {
  const isJoin = state.operatorName === "symmetricHashJoin"
  const metrics = state.customMetrics ?? {}
  const stage = {
    name: state.stage,
    isJoin,
    rows: state.numRowsTotal,
    updated: state.numRowsUpdated,
    removed: state.numRowsRemoved,
    bytes: state.memoryUsedBytes,
    watermark: watermarkMillis(state.watermark),
    duplicates: metrics.numDroppedDuplicateRows ?? null,
  }
  const { rows, removed, bytes } = stage
  return { ...stage, sides: isJoin ? ["left", "right"].map((side) => sideDigest(side, metrics))
    : [{ rows, bytes, removed, matched: null, unmatched: null }] }
}

/** What became of the rows of a side is known where they come out without a partner too. */
function sideDigest(side, metrics) {
  return {
    rows: metrics[`${side}NumRowsTotal`] ?? null,
    bytes: metrics[`${side}MemoryUsedBytes`] ?? null,
    removed: metrics[`${side}NumRowsRemoved`] ?? null,
    matched: metrics[`${side}NumRowsMatched`] ?? null,
    unmatched: metrics[`${side}NumRowsUnmatched`] ?? null,
  }
}

function sourceDigest(source) {
  const lag = source.lag ? Object.values(source.lag) : null
  const seconds = lag?.map((part) => part.seconds).filter((value) => value !== null)
  return {
    description: source.description,
    rows: source.numInputRows,
    late: source.numRowsDroppedByWatermark,
    bad: source.numBadRows,
    duplicates: source.numRowsDroppedAsDuplicates ?? null,
    watermark: watermarkMillis(source.watermark),
    start: source.startOffset,
    end: source.endOffset,
    isKafka: source.description.startsWith("Kafka"),
    behind: lag ? sum(lag.map((part) => part.rows)) : offsetsBehind(source),
    behindSeconds: seconds?.length ? Math.max(...seconds) : null,
  }
}

// MARK: Stages: what keeps state, in the words of `explain`

/** A stage of the plan by its name; the only one of a query with one. Null while the plan is not known. */
function planStage(query, name) {
  const stages = query.plan?.stages ?? []
  return stages.find((stage) => stage.stage === name) ?? null
}

/** From where a join's side has its rows; a deduplication below is no place of its own. */
function sideSource(query, name, side) {
  const source = planStage(query, name)?.[side]?.source
  const below = source && planStage(query, source)
  return below?.type === "deduplicate" ? below.source : source ?? side
}

/**
 * What a stage of a batch keeps, by side: `orders`, `payments`. With `isAlone` false so that it can stand among those of
 * other stages: `orders for payments`.
 */
function sideNames(query, stage, isAlone) {
  if (!stage.isJoin) return [`values of ${planStage(query, stage.name)?.source ?? stage.name}`]
  const names = ["left", "right"].map((side) => sideSource(query, stage.name, side))
  return isAlone ? names : [`${names[0]} for ${names[1]}`, `${names[1]} for ${names[0]}`]
}

/** Every side of every stage: its name, and from a batch to what it keeps, null where the batch has none such. */
function stateSides(query, state) {
  const isAlone = state.stages.length === 1
  return state.stages.flatMap((stage) => sideNames(query, stage, isAlone).map((name, side) => ({
    name,
    stage: stage.name,
    of: (point) => stageOf(point, stage.name)?.sides[side] ?? null,
  })))
}

function stageOf(point, name) {
  return point.state?.stages.find((stage) => stage.name === name) ?? null
}

/** Spark's watermark before there is one is the start of 1970. */
function watermarkMillis(text) {
  const millis = text ? Date.parse(text) : 0
  return millis > 0 ? millis : null
}

/** Bytes of files, records of Kafka; null where a source does not say. */
function offsetsBehind(source) {
  const latest = flatOffsets(source.latestOffset)
  const end = new Map(flatOffsets(source.endOffset))
  if (!latest.length) return null
  return sum(latest.map(([name, offset]) => Math.max(0, offset - (end.get(name) ?? 0))))
}

/** `[[name, offset]]`, of Kafka's `{topic: {partition: offset}}` too. */
function flatOffsets(offsets) {
  return Object.entries(offsets ?? {}).flatMap(([name, value]) =>
    value !== null && typeof value === "object"
      ? Object.entries(value).map(([partition, offset]) => [`${name} ${partition}`, offset])
      : [[name, value]],
  )
}
