// The status page: one document with its style and its script inside, carried by the binary. The parts are ordinary
// files in Page/, which the package manager turns into constants; a module of their own, so that they are compiled
// again only when one of them has changed.

package enum StatusPage {
    /// The document.
    /// - Parameter nonce: what the page's policy lets style and run; it stands at the style and at the script.
    package static func html(nonce: String) -> String {
        document.replacing("{{nonce}}", with: nonce)
    }

    private static let document = text(PackageResources.status_html)
        .replacing("{{style}}", with: text(PackageResources.status_css))
        .replacing("{{script}}", with: scripts.map(text).joined(separator: "\n"))

    /// One script, in this order.
    private static let scripts = [
        PackageResources.format_js, PackageResources.elements_js, PackageResources.model_js,
        PackageResources.measures_js, PackageResources.server_js, PackageResources.reload_js,
        PackageResources.overview_js, PackageResources.plan_js, PackageResources.scales_js,
        PackageResources.charts_js, PackageResources.batch_js, PackageResources.trigger_js,
        PackageResources.advice_js, PackageResources.query_js, PackageResources.page_js,
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
