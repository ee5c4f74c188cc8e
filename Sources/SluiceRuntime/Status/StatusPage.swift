// `GET /`: one page, no build step, nothing loaded from elsewhere.

enum StatusPage {
    /// - Parameter nonce: what the policy lets run and style carries it.
    static func html(nonce: String) -> String { page.replacing("NONCE", with: nonce) }

    private static let page = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Sluice</title>
        <style nonce="NONCE">
        :root { color-scheme: light dark; font: 1rem system-ui, sans-serif }
        table { border-collapse: collapse } th, td { text-align: left; padding: .3rem 1rem .3rem 0 }
        </style>
        <h1>Sluice</h1>
        <table>
        <thead><tr><th>query<th>status<th>trigger<th>batch<th>error</thead>
        <tbody id="queries"></tbody>
        </table>
        <script nonce="NONCE">
        const body = document.getElementById("queries")
        const rows = new Map()
        function show(query) {
          let row = rows.get(query.name)
          if (!row) { row = body.insertRow(); rows.set(query.name, row); for (let i = 0; i < 5; i++) row.insertCell() }
          const texts = [query.name, query.status, query.trigger, query.batchId ?? "none yet", query.error ?? ""]
          texts.forEach((text, index) => { row.cells[index].textContent = text })
        }
        async function load() {
          const answer = await fetch("api/queries")
          for (const query of (await answer.json()).queries) show(query)
        }
        load()
        const events = new EventSource("api/events")
        events.addEventListener("status", event => show(JSON.parse(event.data)))
        events.addEventListener("progress", event => {
          const progress = JSON.parse(event.data)
          const row = rows.get(progress.name)
          if (row) row.cells[3].textContent = progress.batchId
        })
        </script>
        </html>

        """
}
