// Texts as parts of paths, of a URL or of a file's name.

/// A text whose bytes are ASCII letters, digits, or among `plain`; all others are written `%2F`.
package func percentEncoded(_ text: String, plain: String) -> String {
    text.utf8.map { byte in
        let isPlain =
            (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (byte >= 48 && byte <= 57) || plain.utf8.contains(byte)
        return isPlain ? String(UnicodeScalar(byte)) : "%" + zeroPadded(byte, 2, radix: 16).uppercased()
    }.joined()
}
