// Records that were fetched, as bytes in bulk: node-rdkafka makes a JavaScript object of each, with a Buffer for its key,
// its value and every header, on a thread of its own, which takes many times what reading them costs.
#include <rdkafka.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace {

// As src/kafka/fetched.ts reads it: these for all records first, then the bytes of each: key, value, headers. A header
// is its name's length, its value's, its name, its value. A length of -1: there is none.
struct Head {
  double offset;
  double timestamp; // ms since the epoch, or -1
  int32_t partition;
  int32_t error; // rd_kafka_resp_err_t; its text is the value
  int32_t key_bytes;
  int32_t value_bytes;
  int32_t header_bytes;
  int32_t leader_epoch; // or -1
};
static_assert(sizeof(Head) == 40);

struct Batch {
  std::vector<rd_kafka_message_t*> messages;
  std::vector<Head> heads;
  uint64_t bytes;
};

constexpr int32_t kNone = -1;
// So many records are taken together, and no more once there are so many bytes: a batch of a few hundred kilobytes may hold
// as many megabytes.
constexpr uint64_t kTogether = 16;
constexpr uint64_t kManyBytes = 4 << 20;

int32_t LengthOf(const void* bytes, size_t length) {
  return bytes == nullptr ? kNone : static_cast<int32_t>(length);
}

uint8_t* Put(uint8_t* at, const void* bytes, int32_t length) {
  if (length <= 0) return at;
  std::memcpy(at, bytes, length);
  return at + length;
}

template <class Visit>
void EachHeader(rd_kafka_message_t* message, Visit visit) {
  rd_kafka_headers_t* headers;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name;
  const void* value;
  size_t length;
  for (size_t n = 0; rd_kafka_header_get_all(headers, n, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR; n++)
    visit(name, static_cast<int32_t>(std::strlen(name)), value, LengthOf(value, length));
}

Head HeadOf(rd_kafka_message_t* message) {
  auto timestamp = static_cast<double>(rd_kafka_message_timestamp(message, nullptr));
  Head head{static_cast<double>(message->offset), timestamp, message->partition, message->err, kNone, kNone, 0, kNone};
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* text = rd_kafka_message_errstr(message);
    head.value_bytes = LengthOf(text, std::strlen(text));
    return head;
  }
  head.leader_epoch = rd_kafka_message_leader_epoch(message);
  head.key_bytes = LengthOf(message->key, message->key_len);
  head.value_bytes = LengthOf(message->payload, message->len);
  EachHeader(message, [&](const char*, int32_t name_bytes, const void*, int32_t value_bytes) {
    head.header_bytes += 2 * sizeof(int32_t) + name_bytes + (value_bytes > 0 ? value_bytes : 0);
  });
  return head;
}

}  // namespace

extern "C" {

#define EXPORTED __attribute__((visibility("default")))

/**
 * Takes at most so many records that were fetched, fewer of long ones, without waiting, and serves the client's
 * callbacks. Returns null when there are none; else what `coffee_orders_unpack` is to be called with, once, and says in
 * `sizes` how many records it has and how many bytes it needs.
 */
EXPORTED Batch* coffee_orders_fetched(rd_kafka_queue_t* queue, uint64_t most, double* sizes) {
  auto batch = new Batch{std::vector<rd_kafka_message_t*>(most), {}, 0};
  uint64_t count = 0;
  for (uint64_t asked = 1, taken = 1; taken == asked && count < most && batch->bytes < kManyBytes; count += taken) {
    asked = std::min(kTogether, most - count);
    ssize_t found = rd_kafka_consume_batch_queue(queue, 0, batch->messages.data() + count, asked);
    taken = found > 0 ? found : 0;
    for (auto n = count; n < count + taken; n++) {
      Head head = HeadOf(batch->messages[n]);
      batch->heads.push_back(head);
      batch->bytes += sizeof head + head.header_bytes;
      for (auto length : {head.key_bytes, head.value_bytes}) batch->bytes += length > 0 ? length : 0;
    }
  }
  batch->messages.resize(count);
  if (count == 0) {
    delete batch;
    return nullptr;
  }
  sizes[0] = static_cast<double>(count);
  sizes[1] = static_cast<double>(batch->bytes);
  return batch;
}

/** Copies a batch into memory of the size it needs, and frees it. */
EXPORTED void coffee_orders_unpack(Batch* batch, uint8_t* into) {
  auto heads = batch->heads.size() * sizeof(Head);
  std::memcpy(into, batch->heads.data(), heads);
  uint8_t* at = into + heads;
  for (size_t n = 0; n < batch->heads.size(); n++) {
    auto message = batch->messages[n];
    const Head& head = batch->heads[n];
    if (head.error) {
      at = Put(at, rd_kafka_message_errstr(message), head.value_bytes);
    } else {
      at = Put(at, message->key, head.key_bytes);
      at = Put(at, message->payload, head.value_bytes);
      EachHeader(message, [&](const char* name, int32_t name_bytes, const void* value, int32_t value_bytes) {
        at = Put(at, &name_bytes, sizeof name_bytes);
        at = Put(at, &value_bytes, sizeof value_bytes);
        at = Put(at, name, name_bytes);
        at = Put(at, value, value_bytes);
      });
    }
    rd_kafka_message_destroy(message);
  }
  delete batch;
}

}
