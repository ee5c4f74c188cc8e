// Pause, resume and the trigger of a query, changed by hand.

function makeControls(query) {
  const view = { message: element("p", { class: "message", role: "status" }), root: null }
  const act = (button, work) => button.addEventListener("click", () => run(view, button, work))
  view.pause = element("button", { type: "button", id: "pause", text: "Pause" })
  view.resume = element("button", { type: "button", id: "resume", text: "Resume" })
  act(view.pause, () => post(view, query, "pause", {}, "It pauses once the batch in hand is done."))
  act(view.resume, () => post(view, query, "resume", {}, "It goes on."))
  view.form = makeTriggerForm(view, query)
  view.inForce = element("p", { class: "in-force" })
  view.line = element("code", { id: "spec-line" })
  view.copy = element("button", { type: "button", class: "small", text: "Copy" })
  // There is no clipboard for pages of other machines without TLS.
  view.copy.hidden = !navigator.clipboard
  act(view.copy, async () => navigator.clipboard.writeText(view.line.textContent))
  view.revert = element("button", { type: "button", class: "small" })
  act(view.revert, () => setTrigger(view, query, query.specTrigger))
  view.byHand = element("p", { class: "by-hand" }, "It holds until the process is restarted or reloads its specs. To keep it, write into the spec: ",
    view.line, " ", view.copy, " ", view.revert)
  view.root = element("section", { class: "controls", "aria-label": "Controls" },
    element("p", { class: "buttons" }, view.pause, view.resume), view.form, view.inForce, view.byHand, view.message)
  return view
}

function makeTriggerForm(view, query) {
  view.input = element("input", { id: "trigger", type: "text", autocomplete: "off", spellcheck: "false", size: 14,
    "aria-describedby": "trigger-error", on: { input: () => showTriggerError(view, "") } })
  view.set = element("button", { type: "submit", id: "set-trigger", text: "Set" })
  view.error = element("p", { class: "error", id: "trigger-error", role: "alert" })
  const submit = (event) => {
    event.preventDefault()
    const text = view.input.value.trim()
    const mistake = triggerMistake(text)
    if (mistake) showTriggerError(view, mistake)
    else run(view, view.set, () => setTrigger(view, query, text))
  }
  return element("form", { class: "trigger", on: { submit } },
    element("label", { for: "trigger", text: "Trigger interval" }), view.input, view.set, view.error)
}

/** What can be said without asking the server; it has the last word. */
function triggerMistake(text) {
  if (!text) return "Write an interval, as 500ms, 10s, 2m or 1h30m, or as_fast_as_possible."
  if (/^[\d_.]+$/.test(text)) return `A number needs a unit: ${text}s or ${text}ms?`
  return null
}

function showTriggerError(view, text) {
  setText(view.error, text)
  setAttribute(view.input, "aria-invalid", text ? "true" : null)
}

async function setTrigger(view, query, trigger) {
  try {
    await post(view, query, "trigger", { trigger }, null)
    view.input.value = ""
    setText(view.message, `The trigger is ${query.trigger} now.`)
  } catch (error) {
    if (error.status !== 400) throw error
    showTriggerError(view, error.message)
    view.input.focus()
  }
}

async function post(view, query, action, body, done) {
  takeQuery(await request(queryPath(query.name, `/${action}`), { body: JSON.stringify(body) }))
  if (done) setText(view.message, done)
}

/** Does some work for a button, which cannot be pressed again meanwhile. */
async function run(view, button, work) {
  button.setAttribute("aria-busy", "true")
  setText(view.message, "")
  showTriggerError(view, "")
  try {
    await work()
  } catch (error) {
    setText(view.message, error.message)
  } finally {
    button.removeAttribute("aria-busy")
    render()
  }
}

function renderControls(view, query) {
  const endsByItself = ["once", "available_now"].includes(query.trigger)
  // `disabled` would take the focus away from the button that was just pressed.
  setAttribute(view.pause, "aria-disabled", isOver(query) || query.status === "paused")
  setAttribute(view.resume, "aria-disabled", isOver(query) || query.status !== "paused")
  view.form.hidden = isOver(query) || endsByItself
  setAttribute(view.input, "placeholder", query.trigger)
  const isByHand = query.trigger !== query.specTrigger
  setText(view.inForce, isByHand
    ? `In force: ${query.trigger}, set by hand. The spec says ${query.specTrigger}.`
    : `In force: ${query.trigger}, as the spec says.`)
  view.byHand.hidden = !isByHand
  setText(view.line, `trigger: ${query.trigger}`)
  setText(view.revert, `Back to ${query.specTrigger}`)
}
