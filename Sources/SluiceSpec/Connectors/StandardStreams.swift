// Standard input and standard output as a spec has them.

package struct StandardInputSpec: SourceConnector {
    package var position: SourcePosition

    package init(position: SourcePosition) { self.position = position }

    package static var key: String { SourceKeys.set.keys.stdin.facts.name }
    package var origin: (name: String, value: String) { ("reads", "standard input") }
    package var isReplayable: Bool { false }
}

package struct StandardOutputSpec: SinkConnector {
    package var position: SourcePosition

    package init(position: SourcePosition) { self.position = position }

    package static var key: String { SinkKeys.set.keys.stdout.facts.name }
    package var details: [(name: String, value: String)] { [("writes to", "standard output")] }
}
