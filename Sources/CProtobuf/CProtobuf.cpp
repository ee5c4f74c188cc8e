#include "CProtobuf.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace pb = google::protobuf;

struct sluice_protobuf_text {
    std::string bytes;
};

struct sluice_protobuf {
    std::deque<std::string> texts;
    bool has_error = false;
    sluice_protobuf_error error = {};
    std::vector<sluice_protobuf_message> messages;
    std::vector<sluice_protobuf_field> fields;
    std::vector<sluice_protobuf_enum> enums;
    std::vector<sluice_protobuf_value> values;

    const char *keep(const std::string &text) {
        texts.push_back(text);
        return texts.back().c_str();
    }

    /// The first mistake with a place counts, and without any the first.
    void note(const std::string &file, int line, int column, const std::string &message) {
        if (has_error && (error.line > 0 || line < 0)) return;
        has_error = true;
        error = {keep(file), line + 1, line < 0 ? 0 : column + 1, keep(message)};
    }
};

namespace {

// Deeper than anybody nests, and than the library should be asked to.
constexpr int depth_max = 100;

/// Whether the brackets of a text nest deeper than is read. Those in comments and texts count, which does no harm.
bool is_deep(const std::string &text) {
    int depth = 0;
    for (char c : text) {
        if (c == '{' || c == '<') {
            if (++depth > depth_max) return true;
        } else if ((c == '}' || c == '>') && depth > 0) {
            --depth;
        }
    }
    return false;
}

/// Files by the caller.
class Files : public pb::compiler::SourceTree {
  public:
    Files(sluice_protobuf_read read, void *context) : read(read), context(context) {}

    pb::io::ZeroCopyInputStream *Open(const std::string &name) override {
        sluice_protobuf_text text;
        if (!read(context, name.c_str(), &text)) {
            missing.insert(name);
            return nullptr;
        }
        if (is_deep(text.bytes)) {
            trouble = "brackets nest too deeply in it";
            return nullptr;
        }
        texts.push_back(std::move(text.bytes));
        return new pb::io::ArrayInputStream(texts.back().data(), static_cast<int>(texts.back().size()));
    }

    std::string GetLastErrorMessage() override { return trouble.empty() ? "there is no such file" : trouble; }

    std::set<std::string> missing;

  private:
    sluice_protobuf_read read;
    void *context;
    std::deque<std::string> texts;
    std::string trouble;
};

class ParseErrors : public pb::compiler::MultiFileErrorCollector {
  public:
    ParseErrors(sluice_protobuf &schema, Files &files) : schema(schema), files(files) {}

    void AddError(const std::string &file, int line, int column, const std::string &message) override {
        for (const std::string &name : files.missing) {
            if (message == "Import \"" + name + "\" was not found or had errors.") {
                return schema.note(file, line, column, "there is no `" + name + "` to import");
            }
        }
        schema.note(file, line, column, message);
    }

  private:
    sluice_protobuf &schema;
    Files &files;
};

class PoolErrors : public pb::DescriptorPool::ErrorCollector {
  public:
    explicit PoolErrors(sluice_protobuf &schema) : schema(schema) {}

    void AddError(
        const std::string &file, const std::string &element, const pb::Message *, ErrorLocation,
        const std::string &message) override {
        schema.note(file, -1, 0, element.empty() || element == file ? message : element + ": " + message);
    }

  private:
    sluice_protobuf &schema;
};

/// Makes flat tables of descriptors.
class Flattener {
  public:
    explicit Flattener(sluice_protobuf &schema) : schema(schema) {}

    void run(const std::vector<const pb::FileDescriptor *> &own) {
        for (const pb::FileDescriptor *file : own) {
            for (int i = 0; i < file->message_type_count(); i++) add(file->message_type(i), -1, true);
        }
        // The list grows by what fields refer to.
        for (size_t i = 0; i < found.size(); i++) add_fields(found[i], static_cast<int32_t>(i));
    }

  private:
    int32_t add(const pb::Descriptor *message, int32_t parent, bool is_own) {
        auto number = static_cast<int32_t>(found.size());
        numbers[message] = number;
        found.push_back(message);
        schema.messages.push_back(
            {schema.keep(message->full_name()), 0, 0, parent, message->index(), is_own,
             message->options().map_entry()});
        for (int i = 0; is_own && i < message->nested_type_count(); i++) add(message->nested_type(i), number, true);
        return number;
    }

    int32_t number(const pb::Descriptor *message) {
        auto known = numbers.find(message);
        return known == numbers.end() ? add(message, -1, false) : known->second;
    }

    int32_t number(const pb::EnumDescriptor *type) {
        auto known = enum_numbers.find(type);
        if (known != enum_numbers.end()) return known->second;
        auto number = static_cast<int32_t>(schema.enums.size());
        enum_numbers[type] = number;
        schema.enums.push_back(
            {schema.keep(type->full_name()), static_cast<int32_t>(schema.values.size()), type->value_count(),
             type->file()->syntax() == pb::FileDescriptor::SYNTAX_PROTO2});
        for (int i = 0; i < type->value_count(); i++) {
            schema.values.push_back({schema.keep(type->value(i)->name()), type->value(i)->number()});
        }
        return number;
    }

    void add_fields(const pb::Descriptor *message, int32_t place) {
        std::vector<const pb::FieldDescriptor *> fields;
        for (int i = 0; i < message->field_count(); i++) fields.push_back(message->field(i));
        std::sort(fields.begin(), fields.end(), [](auto *a, auto *b) { return a->number() < b->number(); });
        schema.messages[place].first_field = static_cast<int32_t>(schema.fields.size());
        schema.messages[place].field_count = static_cast<int32_t>(fields.size());
        for (const pb::FieldDescriptor *field : fields) {
            sluice_protobuf_field flat = {};
            flat.name = schema.keep(field->name());
            flat.number = field->number();
            flat.type = static_cast<uint8_t>(field->type());
            flat.is_repeated = field->is_repeated();
            flat.has_presence = field->has_presence();
            flat.has_default = field->has_default_value();
            flat.type_index = -1;
            if (field->message_type()) flat.type_index = number(field->message_type());
            if (field->enum_type()) flat.type_index = number(field->enum_type());
            flat.oneof = field->real_containing_oneof() ? field->real_containing_oneof()->index() : -1;
            set_default(field, flat);
            schema.fields.push_back(flat);
        }
    }

    void set_default(const pb::FieldDescriptor *field, sluice_protobuf_field &flat) {
        auto number = [&](double value) { memcpy(&flat.default_bits, &value, sizeof value); };
        switch (field->cpp_type()) {
        case pb::FieldDescriptor::CPPTYPE_INT32:
            flat.default_bits = static_cast<uint64_t>(static_cast<int64_t>(field->default_value_int32()));
            break;
        case pb::FieldDescriptor::CPPTYPE_INT64:
            flat.default_bits = static_cast<uint64_t>(field->default_value_int64());
            break;
        case pb::FieldDescriptor::CPPTYPE_UINT32: flat.default_bits = field->default_value_uint32(); break;
        case pb::FieldDescriptor::CPPTYPE_UINT64: flat.default_bits = field->default_value_uint64(); break;
        case pb::FieldDescriptor::CPPTYPE_DOUBLE: number(field->default_value_double()); break;
        case pb::FieldDescriptor::CPPTYPE_FLOAT: number(field->default_value_float()); break;
        case pb::FieldDescriptor::CPPTYPE_BOOL: flat.default_bits = field->default_value_bool(); break;
        case pb::FieldDescriptor::CPPTYPE_ENUM:
            flat.default_bits =
                static_cast<uint64_t>(static_cast<int64_t>(field->default_value_enum()->number()));
            break;
        case pb::FieldDescriptor::CPPTYPE_STRING:
            flat.default_bytes = reinterpret_cast<const uint8_t *>(schema.keep(field->default_value_string()));
            flat.default_count = field->default_value_string().size();
            break;
        case pb::FieldDescriptor::CPPTYPE_MESSAGE: break;
        }
    }

    sluice_protobuf &schema;
    std::vector<const pb::Descriptor *> found;
    std::unordered_map<const pb::Descriptor *, int32_t> numbers;
    std::unordered_map<const pb::EnumDescriptor *, int32_t> enum_numbers;
};

void parse(sluice_protobuf &schema, const char *name, sluice_protobuf_read read, void *context) {
    Files files(read, context);
    ParseErrors errors(schema, files);
    // The well-known types are part of the library.
    pb::DescriptorPoolDatabase known(*pb::DescriptorPool::generated_pool());
    pb::compiler::SourceTreeDescriptorDatabase database(&files, &known);
    database.RecordErrorsTo(&errors);
    pb::DescriptorPool pool(&database, database.GetValidationErrorCollector());
    const pb::FileDescriptor *file = pool.FindFileByName(name);
    if (!file) return schema.note(name, -1, 0, "it cannot be read");
    if (!schema.has_error) Flattener(schema).run({file});
}

void load(sluice_protobuf &schema, const uint8_t *bytes, size_t count) {
    pb::FileDescriptorSet set;
    if (count > INT32_MAX || !set.ParseFromArray(bytes, static_cast<int>(count))) {
        return schema.note("", -1, 0, "it is no set of descriptors");
    }
    pb::SimpleDescriptorDatabase own;
    std::set<std::string> imported;
    for (const pb::FileDescriptorProto &file : set.file()) {
        own.Add(file);
        for (const std::string &name : file.dependency()) imported.insert(name);
    }
    pb::DescriptorPoolDatabase known(*pb::DescriptorPool::generated_pool());
    pb::MergedDescriptorDatabase database(&own, &known);
    PoolErrors errors(schema);
    pb::DescriptorPool pool(&database, &errors);
    std::vector<const pb::FileDescriptor *> files;
    for (const pb::FileDescriptorProto &file : set.file()) {
        if (imported.count(file.name())) continue;
        if (const pb::FileDescriptor *found = pool.FindFileByName(file.name())) {
            files.push_back(found);
        } else {
            schema.note(file.name(), -1, 0, "it cannot be read");
        }
    }
    if (files.empty()) schema.note("", -1, 0, "it has no files");
    if (!schema.has_error) Flattener(schema).run(files);
}

template <typename Body> sluice_protobuf *make(Body body) {
    auto schema = std::unique_ptr<sluice_protobuf>(new (std::nothrow) sluice_protobuf());
    if (!schema) return nullptr;
    // What is wrong is handed out, and not written to standard error.
    [[maybe_unused]] static pb::LogHandler *written = pb::SetLogHandler(nullptr);
    try {
        body(*schema);
    } catch (const std::bad_alloc &) {
        schema.reset();
    }
    return schema.release();
}

} // namespace

extern "C" void sluice_protobuf_give(sluice_protobuf_text *text, const uint8_t *bytes, size_t count) {
    text->bytes.assign(reinterpret_cast<const char *>(bytes), count);
}

extern "C" sluice_protobuf *sluice_protobuf_parse(const char *name, sluice_protobuf_read read, void *context) {
    return make([&](sluice_protobuf &schema) { parse(schema, name, read, context); });
}

extern "C" sluice_protobuf *sluice_protobuf_load(const uint8_t *set, size_t count) {
    return make([&](sluice_protobuf &schema) { load(schema, set, count); });
}

extern "C" void sluice_protobuf_destroy(sluice_protobuf *schema) { delete schema; }

extern "C" const sluice_protobuf_error *sluice_protobuf_first_error(const sluice_protobuf *schema) {
    return schema->has_error ? &schema->error : nullptr;
}

extern "C" const sluice_protobuf_message *sluice_protobuf_messages(const sluice_protobuf *schema, size_t *count) {
    *count = schema->messages.size();
    return schema->messages.data();
}

extern "C" const sluice_protobuf_field *sluice_protobuf_fields(const sluice_protobuf *schema, size_t *count) {
    *count = schema->fields.size();
    return schema->fields.data();
}

extern "C" const sluice_protobuf_enum *sluice_protobuf_enums(const sluice_protobuf *schema, size_t *count) {
    *count = schema->enums.size();
    return schema->enums.data();
}

extern "C" const sluice_protobuf_value *sluice_protobuf_values(const sluice_protobuf *schema, size_t *count) {
    *count = schema->values.size();
    return schema->values.data();
}
