/// What is wrong with a text that is compiled: a regular expression, a datetime pattern, a path into JSON.
package struct PatternProblem: Error, Hashable {
    /// The character at fault, counted in Unicode scalars from 0.
    package var position: Int
    package var message: String
    package var fix: String?

    init(_ position: Int, _ message: String, fix: String? = nil) {
        self.position = position
        self.message = message
        self.fix = fix
    }
}
