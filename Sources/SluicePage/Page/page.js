// The page: which view is shown, when it is drawn again, and what is fetched for it.

const main = document.getElementById("main")
const overview = makeOverview()
let shownQuery = null
let wasShown = false

// MARK: Drawing: once a second for what comes in, at once for what a person does, never while nobody looks

const renderPauseMillis = 1000
let isRenderAsked = false
let renderedAt = 0

function requestRender() {
  if (isRenderAsked) return
  isRenderAsked = true
  const wait = Math.max(0, renderedAt + renderPauseMillis - Date.now())
  setTimeout(() => requestAnimationFrame(render), Math.min(wait, renderPauseMillis))
}

function render() {
  isRenderAsked = false
  renderedAt = Date.now()
  const now = renderedAt
  const list = listed(now)
  renderHeader(list)
  if (shownQuery) renderQuery(shownQuery, now)
  else if (main.contains(overview.root)) renderOverview(overview, list, now)
}

function renderHeader(list) {
  const broken = list.filter(({ level }) => level >= 2).length
  const counts = Object.entries(Object.groupBy(list, ({ query }) => query.status))
    .map(([status, items]) => `${number(items.length)} ${status}`)
  setText(document.getElementById("summary"), list.length ? `${counted(list.length, "query", "queries")}: ${counts.join(", ")}` : "")
  const title = shownQuery ? `${shownQuery.name} – Sluice` : "Sluice"
  document.title = broken ? `(${broken}) ${title}` : title
  renderConnection()
}

function renderConnection() {
  const { isLive, since, retryAt } = connection
  const node = document.getElementById("connection")
  setAttribute(node, "data-live", String(isLive))
  document.body.classList.toggle("stale", !isLive && since !== null)
  document.getElementById("reconnect").hidden = isLive || since === null
  setText(node, isLive ? "live" : since === null ? "connecting …"
    : `not connected since ${time(since)} UTC: the numbers are of then${retryAt > Date.now() ? "" : "; trying again …"}`)
}

// MARK: Which view

function route() {
  const match = /^#\/query\/(.+)$/.exec(location.hash)
  let name = null
  try {
    name = match ? decodeURIComponent(match[1]) : null
  } catch {
    // A link that is not UTF-8: there is no such query.
  }
  if (name !== null) showQuery(name)
  else showOverview()
}

function closeQuery() {
  if (!shownQuery) return
  shownQuery.query.isOpen = false
  trim(shownQuery.query)
  shownQuery = null
}

function showOverview() {
  closeQuery()
  show(overview.root, overview.heading)
}

function showQuery(name) {
  if (shownQuery?.name === name) return
  closeQuery()
  const query = queries.get(name)
  if (!query) {
    const heading = element("h1", { tabindex: -1, text: `There is no query ${name}` })
    const back = element("a", { href: "#/", text: "All queries" })
    if (hasQueries) show(element("div", {}, heading, element("p", {}, back)), heading)
    return
  }
  shownQuery = makeQueryView(query)
  query.isOpen = true
  show(shownQuery.root, shownQuery.heading)
  loadDetails(query, pointsOpen)
  askForAdvice(shownQuery.advice)
}

/** The focus goes to the new view's heading, so that reading and tabbing go on there; not at the first one. */
function show(root, heading) {
  const isFirst = !wasShown
  wasShown = true
  main.replaceChildren(root)
  if (!isFirst) {
    scrollTo(0, 0)
    heading.focus({ preventScroll: true })
  }
  render()
}

// MARK: What is fetched

let hasQueries = false

/** Which queries there are, and how they are. */
async function loadList() {
  const { queries: list } = await request("api/queries")
  const names = new Set(list.map((object) => object.name))
  for (const name of queries.keys()) if (!names.has(name)) queries.delete(name)
  list.forEach(takeQuery)
  hasQueries = true
  if (shownQuery && !names.has(shownQuery.name)) closeQuery()
  if (!shownQuery) route()
  requestRender()
}

/** A reload has removed a query. */
function forget(name) {
  queries.delete(name)
  if (shownQuery?.name === name) {
    closeQuery()
    route()
  }
}

let isFetching = false

/** What each query has done: a few at a time, the one that is open first. */
async function fetchDetails() {
  if (isFetching) return
  isFetching = true
  const waiting = [...queries.values()].sort((a, b) => Number(b.isOpen ?? false) - Number(a.isOpen ?? false))
  const worker = async () => {
    for (let query = waiting.shift(); query; query = waiting.shift()) {
      await loadDetails(query, query.isOpen ? pointsOpen : pointsListed)
    }
  }
  await Promise.all([worker(), worker(), worker()])
  isFetching = false
}

/** A query's plan and its last batches. What cannot be had now will come with the next connection. */
async function loadDetails(query, count) {
  try {
    const [object, { progress }] = await Promise.all([
      request(queryPath(query.name)), request(queryPath(query.name, `/progress?last=${count}`)),
    ])
    takeQuery(object)
    progress.forEach(takeProgress)
  } catch (error) {
    if (error.status === 404) queries.delete(query.name)
  }
  requestRender()
}

function takeEvent(name, data) {
  const object = JSON.parse(data)
  if (name === "progress") {
    // After a restart or a reload the plan may be another.
    if (takeProgress(object)) loadDetails(queries.get(object.name), pointsListed)
  } else if (name === "status") {
    const isNew = !queries.has(object.name)
    const query = takeQuery(object)
    if (isNew) loadDetails(query, pointsListed)
  } else if (name === "removed") forget(object.name)
  requestRender()
}

// MARK: Start

/** What an event has missed to tell. */
const reloadMillis = 30_000

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault()
  main.focus()
})
document.getElementById("reconnect").addEventListener("click", () => connection.wake?.())
addEventListener("hashchange", route)
document.addEventListener("visibilitychange", requestRender)
setInterval(() => { if (!document.hidden) requestRender() }, 1000)
setInterval(() => { if (!document.hidden && connection.isLive) loadList().catch(() => {}) }, reloadMillis)
followEvents({
  onOpen: async () => {
    await loadList()
    fetchDetails()
  },
  onEvent: takeEvent,
  onChange: requestRender,
})
route()
