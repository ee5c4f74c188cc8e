// The system's zone files, for tests of everything that reads or writes local time.

import Foundation

@testable import SluiceEngine

@Sendable func zoneFile(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: "/usr/share/zoneinfo/" + name).map { Array($0) }
}

let systemTimeZones = TimeZones(file: zoneFile)

/// The rules of a zone that every system has.
func rules(_ name: String) -> TimeZoneRules {
    var zones = systemTimeZones
    guard let rules = zones.rules(named: name) else { preconditionFailure("no zone \(name) on this system") }
    return rules
}
