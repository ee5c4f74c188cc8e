// What is at one place of all records of a sample, and which forms of a column read it all.

/// Facts of the values at one place.
struct FieldFacts {
    /// Values that are not null.
    private(set) var valueCount = 0
    private(set) var nullCount = 0
    private(set) var booleanCount = 0
    private(set) var objectCount = 0
    private(set) var arrayCount = 0
    /// Elements of its arrays that are objects, and all.
    private(set) var objectElementCount = 0
    private(set) var elementCount = 0
    private(set) var numbers = NumberFacts()
    private(set) var texts: [String] = []

    mutating func addNull() { nullCount += 1 }
    mutating func addBoolean() {
        valueCount += 1
        booleanCount += 1
    }
    mutating func addNumber(_ text: String) {
        valueCount += 1
        numbers.add(text)
    }
    mutating func addText(_ text: String) {
        valueCount += 1
        texts.append(text)
    }
    mutating func addObject() {
        valueCount += 1
        objectCount += 1
    }
    mutating func addArray(elementCount: Int, objectCount: Int) {
        valueCount += 1
        arrayCount += 1
        self.elementCount += elementCount
        objectElementCount += objectCount
    }

    var isObject: Bool { valueCount > 0 && objectCount == valueCount }
    /// Arrays of nothing but objects, at least one of them.
    var isArrayOfObjects: Bool {
        arrayCount > 0 && arrayCount == valueCount && elementCount > 0 && objectElementCount == elementCount
    }

    /// The forms that may read the values of JSON.
    func jsonForms(_ name: TimeName) -> FormLadder {
        if valueCount == 0 { return FormLadder([.string]) }
        if booleanCount == valueCount { return FormLadder([.boolean, .json]) }
        if texts.count == valueCount { return textForms(name) }
        if numbers.count + numberWordCount == valueCount {
            if numberWordCount > 0 { return FormLadder([.double, .json]) }
            return FormLadder(numberForms(numbers, name) + [.string])
        }
        return FormLadder([.json, .string])
    }

    /// Texts that a column of doubles reads.
    private var numberWordCount: Int {
        numbers.count == 0
            ? 0 : texts.count { ["NaN", "Infinity", "-Infinity", "+Infinity", "+INF", "-INF"].contains($0) }
    }

    /// The forms that may read the fields of CSV, all of which are text.
    func csvForms(_ name: TimeName) -> FormLadder {
        guard valueCount > 0 else { return FormLadder([.string]) }
        if texts.allSatisfy({ ["true", "false"].contains($0.lowercased()) }) {
            return FormLadder([.boolean, .string])
        }
        if texts.allSatisfy({ isPlainNumber($0) }) {
            var numbers = NumberFacts()
            for text in texts { numbers.add(text) }
            let times = TimeText(texts, name)?.forms ?? []
            return FormLadder(times + numberForms(numbers, name) + [.string])
        }
        return textForms(name)
    }

    private func numberForms(_ numbers: NumberFacts, _ name: TimeName) -> [ColumnForm] {
        let time = name.isTime ? numbers.epochUnit.map { [ColumnForm.epoch($0)] } ?? [] : []
        return time + (numbers.type.map { [$0] } ?? [])
    }

    private func textForms(_ name: TimeName) -> FormLadder {
        if name.isTime, texts.allSatisfy({ isPlainNumber($0) }) {
            var numbers = NumberFacts()
            for text in texts { numbers.add(text) }
            let times = TimeText(texts, name)?.forms ?? []
            return FormLadder((numbers.epochUnit.map { [ColumnForm.epoch($0)] } ?? []) + times + [.string])
        }
        guard let times = TimeText(texts, name) else { return FormLadder([.string]) }
        var ladder = FormLadder(times.forms + [.string])
        ladder.isDayFirstAGuess = times.isDayFirstAGuess
        ladder.isWithoutZone = times.isWithoutZone
        return ladder
    }
}

/// True for a number as JSON writes one. One with zeros before it, or a plus, is text that a number would change.
private func isPlainNumber(_ text: String) -> Bool {
    var rest = Substring(text)
    if rest.first == "-" { rest.removeFirst() }
    let whole = rest.prefix { $0.isASCII && $0.isNumber }
    rest.removeFirst(whole.count)
    guard !whole.isEmpty, whole == "0" || whole.first != "0" else { return false }
    if rest.first == "." {
        rest.removeFirst()
        let fraction = rest.prefix { $0.isASCII && $0.isNumber }
        guard !fraction.isEmpty else { return false }
        rest.removeFirst(fraction.count)
    }
    guard let e = rest.first else { return true }
    guard e == "e" || e == "E" else { return false }
    rest.removeFirst()
    if let sign = rest.first, sign == "-" || sign == "+" { rest.removeFirst() }
    return !rest.isEmpty && rest.allSatisfy { $0.isASCII && $0.isNumber }
}
