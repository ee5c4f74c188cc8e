// Talking to the server: requests with the token where one is needed, and the stream of events. EventSource cannot send
// a token, so the stream is read with fetch.

const tokenKey = "sluice-token"

class RequestError extends Error {
  constructor(status, message, diagnostics = []) {
    super(message)
    Object.assign(this, { status, diagnostics })
  }
}

/** A request's answer as JSON; throws a RequestError with the server's own words. */
async function request(path, { body, signal } = {}) {
  const response = await send(path, {
    signal,
    ...(body === undefined ? {} : { method: "POST", body, headers: { "Content-Type": "application/json" } }),
  })
  const answer = await response.json().catch(() => null)
  if (response.ok) return answer
  const message = answer?.error?.message ?? `the server answered ${response.status}`
  throw new RequestError(response.status, message, answer?.diagnostics)
}

function queryPath(name, rest = "") {
  return `api/queries/${encodeURIComponent(name)}${rest}`
}

/** Sends a request, and again with a token when the server wants one. */
async function send(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(tokenKey)
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) }
    const response = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error" })
    if (response.status !== 401) return response
    await askForToken(token)
  }
}

let tokenAsked = null

/** Resolves when there is a token other than `refused`. However many requests wait, the dialog opens once. */
function askForToken(refused) {
  const current = sessionStorage.getItem(tokenKey)
  if (current && current !== refused) return Promise.resolve()
  tokenAsked ??= new Promise((resolve) => {
    const dialog = document.getElementById("token-dialog")
    const input = document.getElementById("token")
    document.getElementById("token-error").textContent = refused ? "The server refused this token." : ""
    input.value = ""
    dialog.oncancel = (event) => event.preventDefault()
    document.getElementById("token-form").onsubmit = (event) => {
      event.preventDefault()
      sessionStorage.setItem(tokenKey, input.value.trim())
      dialog.close()
      tokenAsked = null
      resolve()
    }
    dialog.showModal()
  })
  return tokenAsked
}

// MARK: Events

/** The stream is dead when nothing comes for so long; the server sends a sign of life more often. */
const silenceMillis = 45_000
const retryMillis = [1000, 2000, 4000, 8000, 15_000]

/** Where the page stands with the server. */
const connection = { isLive: false, since: null, retryAt: null, wake: null }

/** Reads events for ever. `onOpen` runs at each connection, before its first event. */
async function followEvents({ onOpen, onEvent, onChange }) {
  for (let failures = 0; ; failures += 1) {
    try {
      await readEvents({
        onOpen: async () => {
          await onOpen()
          failures = -1
          Object.assign(connection, { isLive: true, since: null, retryAt: null })
          onChange()
        },
        onEvent,
      })
    } catch (error) {
      connection.reason = error.message
    }
    const wait = retryMillis[Math.min(Math.max(0, failures), retryMillis.length - 1)]
    Object.assign(connection, { isLive: false, since: connection.since ?? Date.now(), retryAt: Date.now() + wait })
    onChange()
    await new Promise((resolve) => {
      connection.wake = resolve
      setTimeout(resolve, wait)
    })
  }
}

/** One connection. Returns or throws when it ends. */
async function readEvents({ onOpen, onEvent }) {
  const abort = new AbortController()
  let watchdog = setTimeout(() => abort.abort(), silenceMillis)
  try {
    const response = await send("api/events", { signal: abort.signal, headers: { Accept: "text/event-stream" } })
    if (!response.ok) throw new Error(`the server answered ${response.status}`)
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    await onOpen()
    const parse = eventParser(onEvent)
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      clearTimeout(watchdog)
      watchdog = setTimeout(() => abort.abort(), silenceMillis)
      parse(value)
    }
  } finally {
    clearTimeout(watchdog)
    abort.abort()
  }
}

/** Takes pieces of a stream of server-sent events, calls back with each whole event's name and data. */
function eventParser(onEvent) {
  let rest = ""
  let name = "message"
  let data = []
  const takeLine = (line) => {
    if (line === "") {
      if (data.length) onEvent(name, data.join("\n"))
      name = "message"
      data = []
    } else if (line.startsWith("event:")) name = line.slice(6).trim()
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""))
  }
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r/)
    rest = lines.pop()
    lines.forEach(takeLine)
  }
}
