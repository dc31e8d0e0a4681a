// What a group's member says and asks of places in a log, with leader epochs and metadata, which node-rdkafka leaves out
// (KIP-320). Places travel as text, a line each: partition, offset, leader epoch, metadata without blanks or nothing.
#include <rdkafka.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

// In librdkafka, by a mend (librdkafka.ts).
extern "C" void coffee_orders_cached_topic_id(rd_kafka_t* client, const char* topic, rd_kafka_Uuid_t* id);

namespace {

rd_kafka_topic_partition_list_t* Places(const char* topic, const char* text) {
  auto list = rd_kafka_topic_partition_list_new(12);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream parts(line);
    int32_t partition = 0, epoch = -1;
    int64_t offset = RD_KAFKA_OFFSET_INVALID;
    std::string metadata;
    parts >> partition >> offset >> epoch >> metadata;
    auto place = rd_kafka_topic_partition_list_add(list, topic, partition);
    place->offset = offset;
    rd_kafka_topic_partition_set_leader_epoch(place, epoch);
    if (metadata.empty()) continue;
    place->metadata = strdup(metadata.c_str());
    place->metadata_size = metadata.size();
  }
  return list;
}

// Somebody else's metadata may hold anything: each byte as two digits.
void Hex(std::ostringstream& into, const void* bytes, size_t size) {
  char digits[3];
  for (size_t n = 0; n < size; n++) {
    snprintf(digits, sizeof digits, "%02x", static_cast<const uint8_t*>(bytes)[n]);
    into << digits;
  }
}

char* ErrorOf(rd_kafka_error_t* error) {
  if (error == nullptr) return nullptr;
  auto text = strdup(rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
  return text;
}

}  // namespace

extern "C" {

#define EXPORTED __attribute__((visibility("default")))

/** Takes partitions on, each from its place. Returns what is wrong, or null. */
EXPORTED char* coffee_orders_assign(rd_kafka_t* client, const char* topic, const char* places) {
  auto list = Places(topic, places);
  auto error = rd_kafka_incremental_assign(client, list);
  rd_kafka_topic_partition_list_destroy(list);
  return ErrorOf(error);
}

/** Gives partitions up. Returns what is wrong, or null. */
EXPORTED char* coffee_orders_unassign(rd_kafka_t* client, const char* topic, const char* places) {
  auto list = Places(topic, places);
  auto error = rd_kafka_incremental_unassign(client, list);
  rd_kafka_topic_partition_list_destroy(list);
  return ErrorOf(error);
}

/**
 * Reads partitions that are taken on from their oldest record again; waits for it, so that what is taken afterwards comes
 * from there. Returns what is wrong, or null.
 */
EXPORTED char* coffee_orders_rewind(rd_kafka_t* client, const char* topic, const char* places, int32_t timeout_ms) {
  auto list = Places(topic, places);
  auto error = rd_kafka_seek_partitions(client, list, timeout_ms);
  for (int at = 0; error == nullptr && at < list->cnt; at++)
    if (list->elems[at].err) error = rd_kafka_error_new(list->elems[at].err, "%s", rd_kafka_err2str(list->elems[at].err));
  rd_kafka_topic_partition_list_destroy(list);
  return ErrorOf(error);
}

/** Commits places; the answer comes to the queue. Returns an error's code, or 0. */
EXPORTED int32_t coffee_orders_commit(rd_kafka_t* client, const char* topic, const char* places,
                                      rd_kafka_queue_t* queue) {
  auto list = Places(topic, places);
  auto error = rd_kafka_commit_queue(client, list, queue, nullptr, nullptr);
  rd_kafka_topic_partition_list_destroy(list);
  return error;
}

/** Asks what a group has committed; the answer comes to the queue. */
EXPORTED void coffee_orders_ask_committed(rd_kafka_t* client, const char* group, const char* topic,
                                          const char* places, rd_kafka_queue_t* queue) {
  auto list = Places(topic, places);
  auto asked = rd_kafka_ListConsumerGroupOffsets_new(group, list);
  rd_kafka_ListConsumerGroupOffsets(client, &asked, 1, nullptr, queue);
  rd_kafka_ListConsumerGroupOffsets_destroy(asked);
  rd_kafka_topic_partition_list_destroy(list);
}

/** The places that were committed, metadata in hexadecimal digits; or «!» and what is wrong. To be freed. */
EXPORTED char* coffee_orders_committed(rd_kafka_event_t* event) {
  size_t count;
  auto groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
  std::ostringstream text;
  for (size_t n = 0; n < count; n++) {
    if (auto error = rd_kafka_group_result_error(groups[n]))
      return strdup((std::string("!") + rd_kafka_error_string(error)).c_str());
    auto list = rd_kafka_group_result_partitions(groups[n]);
    for (int at = 0; at < list->cnt; at++) {
      auto& place = list->elems[at];
      if (place.err) return strdup((std::string("!") + rd_kafka_err2str(place.err)).c_str());
      text << place.partition << ' ' << place.offset << ' ' << rd_kafka_topic_partition_get_leader_epoch(&place) << ' ';
      Hex(text, place.metadata, place.metadata_size);
      text << '\n';
    }
  }
  return strdup(text.str().c_str());
}

/** The topic's id as the client has last heard it; null where it has heard none. To be freed. */
EXPORTED char* coffee_orders_topic_id(rd_kafka_t* client, const char* topic) {
  auto id = rd_kafka_Uuid_new(0, 0);
  coffee_orders_cached_topic_id(client, topic, id);
  auto known = rd_kafka_Uuid_most_significant_bits(id) != 0 || rd_kafka_Uuid_least_significant_bits(id) != 0;
  auto text = known ? strdup(rd_kafka_Uuid_base64str(id)) : nullptr;
  rd_kafka_Uuid_destroy(id);
  return text;
}

EXPORTED void coffee_orders_free(char* text) { free(text); }

}
