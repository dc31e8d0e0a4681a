// Delivery reports as numbers in bulk, for whoever asks for them: node-rdkafka makes a JavaScript object of each, which
// takes many times what the rest of a record's way costs. The function by which librdkafka++ asks for reports is wrapped
// (recipe.ts); reports of clients that did not ask for this go to node-rdkafka as ever.
#include <rdkafka.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace {

// As src/kafka/reports.ts reads it.
struct Report {
  double tag; // the record's opaque
  double offset; // negative: unknown
  int32_t partition;
  int32_t error; // rd_kafka_resp_err_t
};
static_assert(sizeof(Report) == 24);

using Callback = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);

std::mutex mutex;
Callback original; // librdkafka++ has one for all clients
std::unordered_map<rd_kafka_t*, std::vector<Report>> collected;

void OnReport(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque) {
  Callback otherwise;
  {
    std::lock_guard lock(mutex);
    auto found = collected.find(client);
    if (found != collected.end()) {
      auto tag = static_cast<double>(reinterpret_cast<uintptr_t>(message->_private));
      found->second.push_back({tag, static_cast<double>(message->offset), message->partition, message->err});
      return;
    }
    otherwise = original;
  }
  otherwise(client, message, opaque);
}

}  // namespace

extern "C" {

void __real_rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t* conf, Callback callback);

void __wrap_rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t* conf, Callback callback) {
  {
    std::lock_guard lock(mutex);
    original = callback;
  }
  __real_rd_kafka_conf_set_dr_msg_cb(conf, OnReport);
}

#define EXPORTED __attribute__((visibility("default")))

/** From now on this client's reports are kept until they are taken. */
EXPORTED void coffee_orders_collect_reports(rd_kafka_t* client) {
  std::lock_guard lock(mutex);
  collected.try_emplace(client);
}

/** Serves the client's callbacks, then takes at most so many of its reports, oldest first. Returns how many. */
EXPORTED uint64_t coffee_orders_poll_reports(rd_kafka_t* client, Report* into, uint64_t most) {
  rd_kafka_poll(client, 0);
  std::lock_guard lock(mutex);
  auto found = collected.find(client);
  if (found == collected.end()) return 0;
  auto& reports = found->second;
  auto end = reports.begin() + std::min<uint64_t>(most, reports.size());
  std::copy(reports.begin(), end, into);
  uint64_t count = end - reports.begin();
  reports.erase(reports.begin(), end);
  return count;
}

/** Before the client is disconnected: nothing is kept any more. */
EXPORTED void coffee_orders_forget_reports(rd_kafka_t* client) {
  std::lock_guard lock(mutex);
  collected.erase(client);
}

}
