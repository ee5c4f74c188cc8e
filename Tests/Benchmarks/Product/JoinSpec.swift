// The workload's join as a spec, between connectors of any kind.

struct JoinSpec {
    /// The connectors, as a line of YAML each.
    var visits: String
    var ads: String
    var sink: String
    var query = "visits_ads"
    var type = JoinType.leftOuter
    var trigger = "as_fast_as_possible"
    var shards: Int?

    /// Whole files of a folder, one of each side a batch.
    static func files(in folder: String) -> JoinSpec {
        JoinSpec(
            visits: "file: { path: \"\(folder)/visits\", max_files_per_trigger: 1 }",
            ads: "file: { path: \"\(folder)/ads\", max_files_per_trigger: 1 }", sink: "file: { path: out }")
    }

    func text(_ workload: Workload) -> String {
        """
        sluice: 1
        sources:
          visits:
            \(visits)
            format: json
            columns: \(workload.columns("visit_id: string, event_time: timestamp, page: string"))
            watermark: { column: event_time, delay: \(workload.delayMillis)ms }
          ads:
            \(ads)
            format: json
            columns: \(workload.columns("page: string, display_time: timestamp, campaign_name: string"))
            watermark: { column: display_time, delay: \(workload.delayMillis)ms }
        queries:
          \(query):
            from: visits
            join:
              - with: ads
                type: \(type.rawValue)
                keys: { visits.page: ads.page }
                within: ads.display_time between visits.event_time and visits.event_time + \(workload.boundMillis)ms
            select:
        \(select(workload).map { "      \($0)\n" }.joined())\
            trigger: \(trigger)
        \(shards.map { "    state: { shards: \($0) }\n" } ?? "")\
            to: enriched
        sinks:
          enriched:
            \(sink)
            format: json

        """
    }

    private func select(_ workload: Workload) -> [String] {
        var columns = ["visit_id: visits.visit_id", "event_time: visits.event_time", "visit_page: visits.page"]
        if !type.hasVisitsOnly {
            columns += ["page: ads.page", "display_time: ads.display_time", "campaign_name: ads.campaign_name"]
        }
        if workload.isWide {
            columns += ["visit_c09: visits.c09", "visit_c21: visits.c21"]
            if !type.hasVisitsOnly { columns += ["ad_c09: ads.c09", "ad_c21: ads.c21"] }
        }
        return columns
    }
}
