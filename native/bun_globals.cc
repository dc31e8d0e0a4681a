// Global handles that are given back. Bun's own never are: each keeps its memory, and whatever it names, for good.
// node-rdkafka makes some for every call with a callback, so that a consumer which reads batch after batch would keep
// each of its callbacks, and all that is in their reach, such as a promise and the batch that it was resolved with.
//
// Here the values are kept in a JavaScript array, the one thing that a handle of Bun's is spent on, and let go by
// clearing their place in it. V8's headers read a handle's memory in place, so a slot is laid out as Bun lays out its
// own: a small integer, or else the tagged address of an object's kind and content, which follow it. The rest of
// bun_compat asks Bun through V8's interface alone; this is the one place that knows how Bun represents a value.
#include <node.h>

#include <cstring>
#include <deque>
#include <vector>

using v8::Isolate;
using v8::Local;
using v8::Value;
using v8::internal::Address;

// The header has replaced this name; here Bun's own is meant.
#undef GlobalizeReference
namespace v8::api_internal {
Address* GlobalizeReference(internal::Isolate* isolate, Address value);
}

namespace {

struct Slot {
  Address value;
  Address object[2];
  uint32_t index; // in the array
};

// A local handle may still be in use when the global one that it was made from is given back, and looks into the same
// slot: these many are left as they are until newer ones are given back.
constexpr size_t kLeftAlone = 4;

struct Globals {
  Address* array; // Bun's own handle
  std::deque<Slot> slots; // all there are; they never move
  std::deque<Slot*> given_back; // oldest first
  std::vector<Slot*> free;
};

// Of this thread, as a Worker is a thread with values of its own. Never freed: no thread outlives its values.
thread_local Globals* globals;

template <class T>
Local<T> LocalOf(Address* slot) {
  Local<T> local;
  static_assert(sizeof local == sizeof slot);
  std::memcpy(static_cast<void*>(&local), &slot, sizeof slot);
  return local;
}

}  // namespace

namespace v8::api_internal {

// Weak like all that is brought here, although no Bun has functions of these names.
[[gnu::weak]] Address* BunCompatGlobalizeReference(internal::Isolate* internal_isolate, Address value) {
  auto isolate = reinterpret_cast<Isolate*>(internal_isolate);
  HandleScope scope(isolate);
  auto context = isolate->GetCurrentContext();
  if (!globals) {
    auto array = Array::New(isolate);
    Address address = internal::ValueHelper::ValueAsAddress(*array);
    globals = new Globals{GlobalizeReference(internal_isolate, address), {}, {}, {}};
  }
  auto array = LocalOf<Array>(globals->array);

  for (auto& old = globals->given_back; old.size() > kLeftAlone; old.pop_front()) {
    array->Set(context, old.front()->index, Undefined(isolate)).Check();
    globals->free.push_back(old.front());
  }
  if (globals->free.empty()) {
    globals->slots.push_back({0, {0, 0}, static_cast<uint32_t>(globals->slots.size())});
    globals->free.push_back(&globals->slots.back());
  }
  Slot* slot = globals->free.back();
  globals->free.pop_back();

  auto given = LocalOf<Value>(&value);
  array->Set(context, slot->index, given).Check();
  // undefined, null, true and false are told by their address.
  bool in_place = !internal::Internals::HasHeapObjectTag(value) || given->IsNullOrUndefined() || given->IsBoolean();
  if (in_place) {
    slot->value = value;
  } else {
    std::memcpy(slot->object, reinterpret_cast<void*>(value - internal::kHeapObjectTag), sizeof slot->object);
    slot->value = reinterpret_cast<Address>(slot->object) + internal::kHeapObjectTag;
  }
  return &slot->value;
}

[[gnu::weak]] void BunCompatDisposeGlobal(Address* handle) {
  if (!handle) return;
  static_assert(offsetof(Slot, value) == 0);
  globals->given_back.push_back(reinterpret_cast<Slot*>(handle));
}

}  // namespace v8::api_internal
