#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>

// The headers of every record: two that are the same for a batch, and those that the spec names, whose values stand
// with each record. Names and values stay with the caller.
typedef struct {
        const char *query_name;
        size_t query_size;
        const char *batch_text;
        size_t batch_size;
        const char *const *names;
        size_t name_count;
} sluice_record_headers;

// rd_kafka_produceva takes its arguments as an array of unions, which is only pleasant to fill in C. Copies the
// payload; `timestamp_ms` 0 means the time of the call. `header_values` has for each of the names an int32_t with the
// value's size, negative where the record lacks the header, and the value. Returns RD_KAFKA_RESP_ERR__QUEUE_FULL when
// there is no room.
static inline rd_kafka_resp_err_t sluice_kafka_produce(rd_kafka_t *rk, rd_kafka_topic_t *rkt, const void *value,
                                                       size_t value_size, const void *key, size_t key_size,
                                                       int64_t timestamp_ms,
                                                       const sluice_record_headers *headers,
                                                       const void *header_values) {
        rd_kafka_vu_t arguments[7 + headers->name_count];
        size_t count = 7;
        arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
        arguments[0].u.rkt = rkt;
        arguments[1].vtype = RD_KAFKA_VTYPE_VALUE;
        arguments[1].u.mem.ptr = (void *)value;
        arguments[1].u.mem.size = value_size;
        arguments[2].vtype = RD_KAFKA_VTYPE_KEY;
        arguments[2].u.mem.ptr = (void *)key;
        arguments[2].u.mem.size = key_size;
        arguments[3].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
        arguments[3].u.i64 = timestamp_ms;
        arguments[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
        arguments[4].u.i = RD_KAFKA_MSG_F_COPY;
        arguments[5].vtype = RD_KAFKA_VTYPE_HEADER;
        arguments[5].u.header.name = "sluice-query";
        arguments[5].u.header.val = headers->query_name;
        arguments[5].u.header.size = (ssize_t)headers->query_size;
        arguments[6].vtype = RD_KAFKA_VTYPE_HEADER;
        arguments[6].u.header.name = "sluice-batch";
        arguments[6].u.header.val = headers->batch_text;
        arguments[6].u.header.size = (ssize_t)headers->batch_size;
        const char *place = (const char *)header_values;
        for (size_t index = 0; index < headers->name_count; index++) {
                int32_t size;
                memcpy(&size, place, sizeof size);
                place += sizeof size;
                if (size < 0) continue;
                arguments[count].vtype = RD_KAFKA_VTYPE_HEADER;
                arguments[count].u.header.name = headers->names[index];
                arguments[count].u.header.val = place;
                arguments[count].u.header.size = size;
                place += size;
                count++;
        }
        rd_kafka_error_t *error = rd_kafka_produceva(rk, arguments, count);
        if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
        rd_kafka_resp_err_t code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        return code;
}
