// Reading the specs again, by a button: what has changed, or every mistake with its place.

function makeReload() {
  const button = element("button", { type: "button", id: "reload", text: "Reload the specs" })
  const message = element("div", { class: "message", id: "reload-message", role: "status" })
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy")) return
    button.setAttribute("aria-busy", "true")
    message.replaceChildren()
    try {
      message.replaceChildren(...reloadReport(await request("api/reload", { body: "" })))
    } catch (error) {
      message.replaceChildren(...reloadMistakes(error))
    } finally {
      button.removeAttribute("aria-busy")
    }
  })
  return element("section", { class: "reload", "aria-label": "Specs" }, button, message)
}

function reloadReport(report) {
  const words = { started: "Started", stopped: "Stopped", changed: "Changed" }
  const lines = Object.entries(words)
    .filter(([name]) => report[name].length)
    .map(([name, word]) => element("p", { text: `${word}: ${report[name].join(", ")}.` }))
  const same = report.unchanged.length
  return [...lines, element("p", { text: `${counted(same, "query", "queries")} as before${lines.length ? "." : ": nothing has changed."}` })]
}

function reloadMistakes(error) {
  const mistakes = error.diagnostics ?? []
  return [
    element("p", { class: "error", text: error.message }),
    element("ul", {}, ...mistakes.map(({ file, line, column, message, fix }) =>
      element("li", { text: `${file}:${line}:${column}: ${message}${fix ? ` (${fix})` : ""}` }))),
  ]
}
