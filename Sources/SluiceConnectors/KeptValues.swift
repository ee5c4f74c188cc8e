// What a source has learnt of others that it wants to have again after a restart, whether those answer then or not. The
// query's checkpoint keeps it.

package import SluiceSpec

/// Values by name that outlive a run. What is kept under a name never changes its meaning, so a value that is lost is
/// only asked for again. Used by the query's thread.
package protocol KeptValues: Sendable {
    /// nil where there is none, or none that is whole.
    func value(_ name: String) -> JSONValue?
    /// Keeps an object. A failure is said, and costs nothing else.
    func keep(_ value: JSONValue, as name: String)
}
