// librdkafka's memory is taken by one thread and given back by another. glibc gives each thread an arena of its own and
// keeps in it what it once grew to, three times over in a consumer; one arena is used again by all. JavaScript's memory
// is not in it: Bun has an allocator of its own. Source: mallopt(3), M_ARENA_MAX.
#include <malloc.h>

namespace {

// When the addon is loaded: librdkafka has no thread yet.
[[gnu::constructor]] void ShareOneArena() { mallopt(M_ARENA_MAX, 1); }

}  // namespace
