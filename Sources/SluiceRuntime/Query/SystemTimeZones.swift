// Where time zone rules come from: the system's zone files.

package import SluiceEngine
package import SluiceSystem

/// Time zones by the system's database.
package func systemTimeZones(_ files: any FileSystem, folder: String = "/usr/share/zoneinfo") -> TimeZones {
    TimeZones { name in
        // Names come from specs and from data; none may lead out of the folder.
        guard !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else { return nil }
        return try? files.readAll("\(folder)/\(name)")
    }
}
