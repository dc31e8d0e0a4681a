// Tells the librdkafka client behind a client of node-rdkafka's, which keeps it to itself, so that the C API, which the
// addon exports, can be used on it: librdkafka's own calls that make and destroy a client are wrapped (recipe.ts).
#include <rdkafka.h>

#include <mutex>
#include <string>
#include <unordered_map>

namespace {

std::mutex mutex;
// By the name that librdkafka gives each, "client.id#producer-N", which no two of a process share.
std::unordered_map<std::string, rd_kafka_t*> clients;

void Forget(rd_kafka_t* client) {
  std::lock_guard lock(mutex);
  clients.erase(rd_kafka_name(client));
}

}  // namespace

extern "C" {

rd_kafka_t* __real_rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t* conf, char* error, size_t error_size);
void __real_rd_kafka_destroy(rd_kafka_t* client);
void __real_rd_kafka_destroy_flags(rd_kafka_t* client, int flags);

rd_kafka_t* __wrap_rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t* conf, char* error, size_t error_size) {
  rd_kafka_t* client = __real_rd_kafka_new(type, conf, error, error_size);
  if (client == nullptr) return nullptr;
  std::lock_guard lock(mutex);
  clients[rd_kafka_name(client)] = client;
  return client;
}

void __wrap_rd_kafka_destroy(rd_kafka_t* client) {
  Forget(client);
  __real_rd_kafka_destroy(client);
}

void __wrap_rd_kafka_destroy_flags(rd_kafka_t* client, int flags) {
  Forget(client);
  __real_rd_kafka_destroy_flags(client, flags);
}

/** The client of this name; null when there is none. */
__attribute__((visibility("default"))) rd_kafka_t* coffee_orders_client(const char* name) {
  std::lock_guard lock(mutex);
  auto found = clients.find(name);
  return found == clients.end() ? nullptr : found->second;
}

}
