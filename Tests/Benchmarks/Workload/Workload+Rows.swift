// The workload's rows as text: what goes in, and what must come out.

extension Workload {
    /// The forms of rows, made once for a workload.
    struct Forms {
        let visit: RowTemplate
        let ad: RowTemplate
        let pair: RowTemplate
        let visitAlone: RowTemplate
        let adAlone: RowTemplate
    }

    private static let visitMembers = [
        "\"visit_id\":\"visit-<visit>\"", "\"event_time\":\"<eventTime>\"",
        "\"page\":\"/shop/page-<visitPage>.html\"",
    ]
    private static let adMembers = [
        "\"page\":\"/shop/page-<adPage>.html\"", "\"display_time\":\"<displayTime>\"",
        "\"campaign_name\":\"campaign-<campaign>\"",
    ]

    /// What rows hold that go in, as JSON writes it.
    var members: (visit: [String], ad: [String]) {
        guard isWide else { return (Self.visitMembers, Self.adMembers) }
        return (
            widened(Self.visitMembers, c09: "v-<visitC09>", c21: "v-<visitC21>"),
            widened(Self.adMembers, c09: "a-<adC09>", c21: "a-<adC21>")
        )
    }

    var forms: Forms {
        let (visit, ad) = (Self.visitMembers, Self.adMembers)
        let (visitIn, adIn) = members
        let visitOut = [visit[0], visit[1], "\"visit_page\":\"/shop/page-<visitPage>.html\""]
        let visitMore = isWide ? ["\"visit_c09\":\"v-<visitC09>\"", "\"visit_c21\":\"v-<visitC21>\""] : []
        let adMore = isWide ? ["\"ad_c09\":\"a-<adC09>\"", "\"ad_c21\":\"a-<adC21>\""] : []
        func form(_ members: [String]) -> RowTemplate { RowTemplate("{\(members.joined(separator: ","))}") }
        return Forms(
            visit: RowTemplate(format.record(of: visitIn)), ad: RowTemplate(format.record(of: adIn)),
            pair: form(visitOut + ad + visitMore + adMore),
            visitAlone: form(visitOut + visitMore), adAlone: form(ad + adMore))
    }

    /// A third of the other columns before each of a row's own.
    private func widened(_ members: [String], c09: String, c21: String) -> [String] {
        (0..<fillerCount).flatMap { number -> [String] in
            let text =
                switch number {
                case 9: "\"\(c09)\""
                case 21: "\"\(c21)\""
                case _ where number % 3 == 0: "\(number * 7919)"
                case _ where number % 3 == 1: "\(number).25"
                default: "\"text of column \(number)\""
                }
            let filler = "\"c\(padded(number, 2))\":\(text)"
            let third = fillerCount / 3
            return number % third == third - 1 ? [filler, members[number / third]] : [filler]
        }
    }

    /// A source's columns as a spec names them.
    func columns(_ own: [(name: String, type: String)]) -> String {
        "{ \(declared(own).map { format.column($0.name, $0.type) }.joined(separator: ", ")) }"
    }

    /// Those of both sides, by their folders.
    var declaredColumns: [(side: String, columns: [(name: String, type: String)])] {
        [
            ("visits", declared([("visit_id", "string"), ("event_time", "timestamp"), ("page", "string")])),
            ("ads", declared([("page", "string"), ("display_time", "timestamp"), ("campaign_name", "string")])),
        ]
    }

    private func declared(_ own: [(name: String, type: String)]) -> [(name: String, type: String)] {
        let fillers = (0..<fillerCount).compactMap { number -> (name: String, type: String)? in
            let isUsed = number == 9 || number == 21
            guard isUsed || declaresFillers else { return nil }
            return ("c\(padded(number, 2))", isUsed ? "string" : ["long", "double", "string"][number % 3])
        }
        return fillers + own
    }

    func setVisit(_ index: Int, _ visit: Visit, in values: inout RowValues) {
        values[.visit] = index
        values[.eventTime] = visit.timeMillis
        values[.visitPage] = visit.page
        guard isWide else { return }
        values[.visitC09] = index % 1_000_000
        values[.visitC21] = index / 10 % 1_000_000
    }

    func setAd(campaign: Int, _ ad: Visit, in values: inout RowValues) {
        values[.adPage] = ad.page
        values[.displayTime] = ad.timeMillis
        values[.campaign] = campaign
        guard isWide else { return }
        values[.adC09] = campaign
        values[.adC21] = campaign * 3
    }

    static func campaign(ofAd index: Int) -> Int { index % 1000 }

    func visitValues(_ index: Int) -> RowValues {
        var values = RowValues()
        setVisit(index, visit(index), in: &values)
        return values
    }

    func adValues(_ index: Int) -> RowValues {
        var values = RowValues()
        setAd(campaign: Self.campaign(ofAd: index), ad(index), in: &values)
        return values
    }

    func appendVisit(_ index: Int, _ form: RowTemplate, to text: inout [UInt8]) {
        form.append(visitValues(index), to: &text)
    }

    func appendAd(_ index: Int, _ form: RowTemplate, to text: inout [UInt8]) {
        form.append(adValues(index), to: &text)
    }
}

func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
