// The forms that the workload's input has. The fields are the same in each, so that the truth is too.

enum RowFormat {
    case json
    /// Two objects down, among fields that nobody asks for: twice as many bytes as `json`.
    case nestedJSON
    case csv

    /// As a spec names it.
    var name: String { self == .csv ? "csv" : "json" }

    /// The pattern of a record.
    /// - Parameter members: as JSON writes them, `"name":value`.
    func record(of members: [String]) -> String {
        let all = members.joined(separator: ",")
        switch self {
        case .json: return "{\(all)}"
        case .nestedJSON:
            return #"{"v":1,"meta":{"topic":"web","n":17},"data":{"kind":"row","row":{\#(all)}},"#
                + #""trace":{"id":"0000-1111-22","hops":[1,2]}}"#
        case .csv:
            return members.map { $0.split(separator: ":", maxSplits: 1)[1].filter { $0 != "\"" } }
                .joined(separator: ",")
        }
    }

    /// A column as a spec declares it.
    func column(_ name: String, _ type: String) -> String {
        self == .nestedJSON ? "\(name): { type: \(type), from: data.row.\(name) }" : "\(name): \(type)"
    }
}
