// `match` on an entry of `join`: of the rows that match, one. Which one is a question of time, and it comes out when
// the watermark has an answer, so nothing but a `within` that is closed on both sides will do; whether it is closed is
// the planner's to say.

extension SpecBuilder {
    func checkMatch(
        _ map: MapReader<JoinKeys>, _ match: Located<JoinMatch>, _ type: Located<JoinType>?, isTable: Bool,
        _ inputs: QueryInputs
    ) {
        let place = map.keyPlace(\.match)
        let what = "`match: \(match.value.rawValue)`"
        if isTable {
            diagnostics.error(
                .matchCondition, at: place, "\(what) chooses by time, and a table has none",
                fix: "remove it; `unique: true` on the table makes sure of one row a key")
            return
        }
        if map.contains(\.window) {
            diagnostics.error(
                .matchCondition, at: place, "\(what) with `window`: all rows of one window are of one time",
                fix: "write `within` with a bound on both sides in place of `window`")
        } else if !map.contains(\.within) {
            diagnostics.error(
                .matchCondition, at: place, "\(what) without `within`: a better row could come at any time",
                fix: "add `within: … between … and …` over the two event times")
        }
        if let type, type.value != .inner, type.value != .leftOuter {
            diagnostics.error(
                .matchCondition, at: type.place,
                "\(what) gives each row of the left side one of the right side, and a \(type.value.rawValue) join "
                    + "asks for something else", fix: "use `inner` or `left outer`")
        }
        for column in PlaceColumn.allCases where inputs.scope.inputs.last?.column(column.name) != nil {
            diagnostics.error(
                .badName, at: place,
                "\(what) keeps a column of its own with each row that is called `\(column.name)`, and "
                    + "`\(inputs.scope.inputs.last?.name ?? "")` declares one", fix: "give that column another name")
        }
    }
}
