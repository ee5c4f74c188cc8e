// Paths as they are written and read: whatever a field is called, there is one way to write it that means it.

import SluiceSpec
import Testing

@Suite struct FieldPathTests {
    private static let names = [
        "a", "a.b", "a b", "it's", "q\"", "$.x", "$[0]", "a->b", "a->>b", "/x/y", "a:b", "['x']", "[0]", "", "\n",
        "${x}", "é",
    ]

    @Test(arguments: names) func `A name is read as it was written`(name: String) throws {
        for path in [
            FieldPath(name: name), FieldPath([.name(name), .name("c")]),
            FieldPath([.name("c"), .name(name), .element(3)]),
        ] {
            #expect(try FieldPath(text: path.description) == path, "\(path)")
        }
    }

    @Test func `What looks like another language's path is one only outside of brackets`() throws {
        #expect(throws: PathProblem.self) { try FieldPath(text: "a->b") }
        #expect(throws: PathProblem.self) { try FieldPath(text: "$['a.b']") }
        #expect(try FieldPath(text: "x['a->b'].c") == FieldPath([.name("x"), .name("a->b"), .name("c")]))
    }

    @Test(arguments: ["kafka", "each"]) func `A reserved first step stands in brackets`(name: String) throws {
        #expect(FieldPath([.name(name), .name(name)]).description == "['\(name)'].\(name)")
    }
}
