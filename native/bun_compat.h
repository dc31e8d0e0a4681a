// Lets an addon written for V8 and libuv run on Bun: given to the compiler with -include, before each source.
//
// Bun brings its own implementation of V8's C++ interface, without some functions, and libuv's names of which
// some only abort. Here is what has to be in place before an addon's source is compiled; the missing
// functions themselves are in bun_compat.cc, linked in once.
#pragma once

// Global handles: Bun never frees what they name. Replaced by name, as Bun has functions of these names; see
// bun_globals.cc.
#define GlobalizeReference BunCompatGlobalizeReference
#define DisposeGlobal BunCompatDisposeGlobal

#include <node.h>
#include <pthread.h>
#include <uv.h>

#include <cstdlib>
#include <type_traits>

namespace bun_compat {

// Threads and read-write locks: Bun has libuv's functions for these, and each of them ends the process as
// "unsupported". libuv itself is a thin layer over pthreads here, down to the types, so pthreads do as well.
// They can't be supplied as symbols, for Bun's would win: the names are replaced.
static_assert(std::is_same_v<uv_rwlock_t, pthread_rwlock_t> && std::is_same_v<uv_thread_t, pthread_t>);

inline int rwlock_init(uv_rwlock_t* lock) { return -pthread_rwlock_init(lock, nullptr); }

// As in libuv, these can't fail: an error is a bug in the caller, such as an unlock of what is not locked.
inline void must(int error) {
  if (error != 0) abort();
}
inline void rwlock_destroy(uv_rwlock_t* lock) { must(pthread_rwlock_destroy(lock)); }
inline void rwlock_rdlock(uv_rwlock_t* lock) { must(pthread_rwlock_rdlock(lock)); }
inline void rwlock_wrlock(uv_rwlock_t* lock) { must(pthread_rwlock_wrlock(lock)); }
inline void rwlock_unlock(uv_rwlock_t* lock) { must(pthread_rwlock_unlock(lock)); }

struct ThreadStart {
  uv_thread_cb entry;
  void* argument;
};

inline int thread_create(uv_thread_t* thread, uv_thread_cb entry, void* argument) {
  auto start = new ThreadStart{entry, argument};
  auto run = [](void* given) -> void* {
    ThreadStart start = *static_cast<ThreadStart*>(given);
    delete static_cast<ThreadStart*>(given);
    start.entry(start.argument);
    return nullptr;
  };
  int error = pthread_create(thread, nullptr, run, start);
  if (error != 0) delete start;
  return -error;
}

inline int thread_join(uv_thread_t* thread) { return -pthread_join(*thread, nullptr); }

}  // namespace bun_compat

#define uv_rwlock_init bun_compat::rwlock_init
#define uv_rwlock_destroy bun_compat::rwlock_destroy
#define uv_rwlock_rdlock bun_compat::rwlock_rdlock
#define uv_rwlock_rdunlock bun_compat::rwlock_unlock
#define uv_rwlock_wrlock bun_compat::rwlock_wrlock
#define uv_rwlock_wrunlock bun_compat::rwlock_unlock
#define uv_thread_create bun_compat::thread_create
#define uv_thread_join bun_compat::thread_join

// Whether two handles are the same function. V8's own test compares the contents of the handles' slots, which
// on Bun may differ for one and the same function: node-rdkafka then finds no callback that it is to remove,
// and its rebalance event fires twice.
template <>
template <>
inline bool v8::Local<v8::Function>::operator==(const v8::Local<v8::Function>& that) const {
  if (IsEmpty() || that.IsEmpty()) return IsEmpty() == that.IsEmpty();
  return (*this)->StrictEquals(that);
}
