// The scenario the demo plays: visits and ads typed in step by step, and the five rows that must come out.

/// One line typed into one of the two files.
struct DemoInput {
    var file: String
    var line: String

    static func visit(_ id: String, _ time: String, _ page: String) -> DemoInput {
        DemoInput(
            file: "visits.jsonl",
            line: "{\"visit_id\":\"\(id)\",\"event_time\":\"2024-01-01T\(time)Z\",\"page\":\"\(page)\"}")
    }

    static func ad(_ page: String, _ time: String, _ campaign: String) -> DemoInput {
        DemoInput(
            file: "ads.jsonl",
            line: "{\"page\":\"\(page)\",\"display_time\":\"2024-01-01T\(time)Z\",\"campaign_name\":\"\(campaign)\"}")
    }
}

struct DemoStep {
    var words: String
    var inputs: [DemoInput]
}

enum SeedScenario {
    static let steps: [DemoStep] = [
        DemoStep(
            words: "Two visits. No ad yet, so both wait.",
            inputs: [.visit("visit-1", "08:18:00", "home"), .visit("visit-2", "08:20:00", "home")]),
        DemoStep(
            words: "An ad, 15 seconds after visit-1.", inputs: [.ad("home", "08:18:15", "supermarket")]),
        DemoStep(
            words: "Two visits 40 minutes later. The ads side has not moved, so the watermark stands.",
            inputs: [.visit("visit-3", "08:58:00", "category1"), .visit("visit-4", "09:00:00", "category2")]),
        DemoStep(
            words: "An ad moves the watermark to 08:50. No ad can come for visit-2 any more.",
            inputs: [.ad("category3", "09:00:15", "travel agency")]),
        DemoStep(
            words: "An ad for a page nobody has visited yet.",
            inputs: [.ad("category4", "09:10:30", "internet provider")]),
        DemoStep(
            words: "A visit out of order, but not late: 08:58 is above the watermark. The ad is 12 minutes off.",
            inputs: [.visit("visit-5", "08:58:00", "category4")]),
        DemoStep(
            words: "A visit 90 seconds before the ad that is already here.",
            inputs: [.visit("visit-6", "09:09:00", "category4")]),
        DemoStep(
            words: "A visit an hour later moves the watermark past visit-3 and visit-5.",
            inputs: [.visit("visit-100", "10:09:00", "category6")]),
    ]

    /// Rows that come out, by the step after which they do.
    static let expected: [Int: Set<String>] = [
        1: [
            #"{"visit_id":"visit-1","event_time":"2024-01-01T09:18:00.000+01:00","visit_page":"home","page":"home","#
                + #""display_time":"2024-01-01T09:18:15.000+01:00","campaign_name":"supermarket"}"#
        ],
        3: [#"{"visit_id":"visit-2","event_time":"2024-01-01T09:20:00.000+01:00","visit_page":"home"}"#],
        6: [
            #"{"visit_id":"visit-6","event_time":"2024-01-01T10:09:00.000+01:00","visit_page":"category4","#
                + #""page":"category4","display_time":"2024-01-01T10:10:30.000+01:00","#
                + #""campaign_name":"internet provider"}"#
        ],
        7: [
            #"{"visit_id":"visit-5","event_time":"2024-01-01T09:58:00.000+01:00","visit_page":"category4"}"#,
            #"{"visit_id":"visit-3","event_time":"2024-01-01T09:58:00.000+01:00","visit_page":"category1"}"#,
        ],
    ]

    static let spec = """
        sluice: 1
        sources:
          visits:
            file: { path: visits.jsonl, follow: true }
            format: json
            columns: { visit_id: string, event_time: timestamp, page: string }
            watermark: { column: event_time, delay: 10 minutes }
          ads:
            file: { path: ads.jsonl, follow: true }
            format: json
            columns: { page: string, display_time: timestamp, campaign_name: string }
            watermark: { column: display_time, delay: 10 minutes }
        queries:
          visits_ads:
            from: visits
            join:
              - with: ads
                type: left outer
                keys: { visits.page: ads.page }
                within: ads.display_time between visits.event_time and visits.event_time + 2 minutes
            select:
              visit_id: visits.visit_id
              event_time: visits.event_time
              visit_page: visits.page
              page: ads.page
              display_time: ads.display_time
              campaign_name: ads.campaign_name
            trigger: as_fast_as_possible
            checkpoint: checkpoint
            to: visits_enriched
        sinks:
          visits_enriched:
            file: { path: out }
            format: { json: { time_zone: Europe/Paris } }

        """
}
