// The workload's join as a spec, between connectors of any kind.

struct JoinSpec {
    /// The connectors, as a line of YAML each.
    var visits: String
    var ads: String
    var sink: String
    var query = "visits_ads"
    /// Before the names of sources and sink, which several specs of one process must not share.
    var prefix = ""
    var type = JoinType.leftOuter
    var trigger = "as_fast_as_possible"
    var shards: Int?
    /// Of both sources, where it is not the workload's; and of the sink.
    var inputFormat: String?
    /// Of the ads, where it is another.
    var adFormat: String?
    var outputFormat = "json"

    /// Whole files of a folder, one of each side a batch.
    static func files(in folder: String) -> JoinSpec {
        JoinSpec(
            visits: "file: { path: \"\(folder)/visits\", max_files_per_trigger: 1 }",
            ads: "file: { path: \"\(folder)/ads\", max_files_per_trigger: 1 }", sink: "file: { path: out }")
    }

    /// The same join as a query of another name, beside others in one process.
    func named(_ name: String) -> JoinSpec {
        var spec = self
        (spec.query, spec.prefix) = (name, "\(name)_")
        return spec
    }

    func text(_ workload: Workload) -> String {
        """
        sluice: 1
        sources:
          \(prefix)visits:
            \(visits)
            format: \(inputFormat ?? workload.format.name)
            columns: \(workload.columns([("visit_id", "string"), ("event_time", "timestamp"), ("page", "string")]))
            watermark: { column: event_time, delay: \(workload.delayMillis)ms }
          \(prefix)ads:
            \(ads)
            format: \(adFormat ?? inputFormat ?? workload.format.name)
            columns: \(workload.columns([("page", "string"), ("display_time", "timestamp"), ("campaign_name", "string")]))
            watermark: { column: display_time, delay: \(workload.delayMillis)ms }
        queries:
          \(query):
            from: \(prefix)visits
            join:
              - with: \(prefix)ads
                type: \(type.rawValue)
                keys: { \(prefix)visits.page: \(prefix)ads.page }
                within: \(within(workload))
            select:
        \(select(workload).map { "      \($0)\n" }.joined())\
            trigger: \(trigger)
        \(shards.map { "    state: { shards: \($0) }\n" } ?? "")\
            to: \(prefix)enriched
        sinks:
          \(prefix)enriched:
            \(sink)
            format: \(outputFormat)

        """
    }

    /// The columns of the output, as a spec declares them.
    static let outputColumns = [
        ("visit_id", "string"), ("event_time", "timestamp"), ("visit_page", "string"), ("page", "string"),
        ("display_time", "timestamp"), ("campaign_name", "string"),
    ]

    private func within(_ workload: Workload) -> String {
        let (visits, ads) = ("\(prefix)visits.event_time", "\(prefix)ads.display_time")
        return "\(ads) between \(visits) and \(visits) + \(workload.boundMillis)ms"
    }

    private func select(_ workload: Workload) -> [String] {
        var columns = [
            "visit_id: \(prefix)visits.visit_id", "event_time: \(prefix)visits.event_time",
            "visit_page: \(prefix)visits.page",
        ]
        if !type.hasVisitsOnly {
            columns += [
                "page: \(prefix)ads.page", "display_time: \(prefix)ads.display_time",
                "campaign_name: \(prefix)ads.campaign_name",
            ]
        }
        if workload.isWide {
            columns += ["visit_c09: \(prefix)visits.c09", "visit_c21: \(prefix)visits.c21"]
            if !type.hasVisitsOnly { columns += ["ad_c09: \(prefix)ads.c09", "ad_c21: \(prefix)ads.c21"] }
        }
        return columns
    }
}
