// Records in bulk on their way to librdkafka: one call for all that are sent together, where a call for each would look
// up and convert anew, and let the thread that sends begin with the first few of them.
#include <rdkafka.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

// In librdkafka, by a mend (librdkafka.ts): the record that is handed over next is not the last of its partition.
extern "C" __thread int coffee_orders_more_follow;

namespace {

// As src/kafka/sender.ts writes them: numbers and texts in step. A record is its partition, its time as two
// halves, the lower first (0: now), the lengths of its key and value (-1: it has none) and how many headers it has; a header is the lengths of its name and value. The texts are key,
// value, and for each header its name, which ends with a NUL, and its value.
struct Reader {
  const int32_t* numbers;
  const uint8_t* texts;

  int32_t Number() { return *numbers++; }
  void* Text(int32_t length) {
    if (length < 0) return nullptr;
    auto at = texts;
    texts += length;
    return const_cast<uint8_t*>(at);
  }
};

rd_kafka_vu_t Argument(rd_kafka_vtype_t type) {
  rd_kafka_vu_t argument{};
  argument.vtype = type;
  return argument;
}

rd_kafka_vu_t Bytes(rd_kafka_vtype_t type, void* bytes, int32_t length) {
  auto argument = Argument(type);
  argument.u.mem.ptr = bytes;
  argument.u.mem.size = length < 0 ? 0 : length;
  return argument;
}

void Headers(Reader& from, int32_t count, std::vector<rd_kafka_vu_t>& into) {
  for (; count > 0; count--) {
    auto header = Argument(RD_KAFKA_VTYPE_HEADER);
    auto name_bytes = from.Number();
    auto value_bytes = from.Number();
    header.u.header.size = value_bytes < 0 ? 0 : value_bytes;
    header.u.header.name = static_cast<const char*>(from.Text(name_bytes + 1));
    header.u.header.val = from.Text(value_bytes);
    into.push_back(header);
  }
}

// For each record, whether another one of its partition comes later.
std::vector<bool> MoreFollow(Reader from, uint64_t count) {
  std::vector<int32_t> partitions;
  for (uint64_t n = 0; n < count; n++) {
    partitions.push_back(from.Number());
    from.numbers += 4;
    from.numbers += 2 * from.Number();
  }
  std::vector<bool> more(count);
  std::unordered_set<int32_t> seen;
  for (auto n = count; n-- > 0;) more[n] = !seen.insert(partitions[n]).second;
  return more;
}

}  // namespace

extern "C" {

/**
 * Queues records for a topic. Their opaques are consecutive numbers. What does not linger leaves in one request for each
 * partition, or as few as there can be.
 * @param shared_numbers how many headers each record has before its own, and those; with shared_texts
 * @param errors gets for each record the rd_kafka_error_t for which it was refused, to be destroyed, or 0
 */
__attribute__((visibility("default"))) void coffee_orders_send(
    rd_kafka_t* client, rd_kafka_topic_t* topic, const int32_t* shared_numbers, const uint8_t* shared_texts,
    const int32_t* numbers, const uint8_t* texts, uint64_t count, uint64_t first_opaque, bool lingers,
    double* errors) {
  std::vector<rd_kafka_vu_t> arguments;
  auto rkt = Argument(RD_KAFKA_VTYPE_RKT);
  rkt.u.rkt = topic;
  auto flags = Argument(RD_KAFKA_VTYPE_MSGFLAGS);
  flags.u.i = RD_KAFKA_MSG_F_COPY;
  arguments.assign({rkt, flags});
  Reader shared{shared_numbers, shared_texts};
  Headers(shared, shared.Number(), arguments);
  const auto common = arguments.size();

  Reader from{numbers, texts};
  const auto more = lingers ? std::vector<bool>(count) : MoreFollow(from, count);
  bool woken = true;
  for (uint64_t n = 0; n < count; n++) {
    arguments.resize(common);
    auto partition = Argument(RD_KAFKA_VTYPE_PARTITION);
    partition.u.i32 = from.Number();
    auto time = Argument(RD_KAFKA_VTYPE_TIMESTAMP);
    time.u.i64 = static_cast<uint32_t>(from.Number());
    time.u.i64 |= static_cast<int64_t>(from.Number()) << 32;
    auto key_bytes = from.Number();
    auto value_bytes = from.Number();
    auto headers = from.Number();
    auto opaque = Argument(RD_KAFKA_VTYPE_OPAQUE);
    opaque.u.ptr = reinterpret_cast<void*>(first_opaque + n);
    arguments.push_back(partition);
    arguments.push_back(opaque);
    if (time.u.i64 != 0) arguments.push_back(time);
    arguments.push_back(Bytes(RD_KAFKA_VTYPE_KEY, from.Text(key_bytes), key_bytes));
    arguments.push_back(Bytes(RD_KAFKA_VTYPE_VALUE, from.Text(value_bytes), value_bytes));
    Headers(from, headers, arguments);

    coffee_orders_more_follow = more[n];
    auto error = rd_kafka_produceva(client, arguments.data(), arguments.size());
    errors[n] = static_cast<double>(reinterpret_cast<uintptr_t>(error));
    // Others may wait for this one to wake the thread that sends.
    if (error != nullptr && !lingers && !more[n]) woken = false;
  }
  coffee_orders_more_follow = 0;
  if (!woken) rd_kafka_flush(client, 0);
}

}
