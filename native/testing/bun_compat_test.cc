// An addon that hands each function of bun_compat to JavaScript: what bun_compat.test.ts drives.
#include <node_buffer.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using namespace v8;
using Call = const FunctionCallbackInfo<Value>&;

namespace {

Local<Context> Here(Call call) { return call.GetIsolate()->GetCurrentContext(); }

template <class T>
void Answer(Call call, MaybeLocal<T> result) {
  Local<T> value;
  if (result.ToLocal(&value)) call.GetReturnValue().Set(value);
}

void Answer(Call call, bool value) { call.GetReturnValue().Set(value); }
void Answer(Call call, double value) { call.GetReturnValue().Set(Number::New(call.GetIsolate(), value)); }

// What came back empty must have an exception pending: returning nothing lets JavaScript see it.
template <class T>
void Answer(Call call, Maybe<T> result) {
  if (result.IsJust()) Answer(call, static_cast<std::conditional_t<std::is_same_v<T, bool>, bool, double>>(result.FromJust()));
}

void toObject(Call call) { Answer(call, call[0]->ToObject(Here(call))); }
void int32Value(Call call) { Answer(call, call[0]->Int32Value(Here(call))); }
// As text, for a double can't hold each of them.
void integerValue(Call call) {
  auto value = call[0]->IntegerValue(Here(call));
  if (value.IsNothing()) return;
  auto text = std::to_string(value.FromJust());
  Answer(call, String::NewFromUtf8(call.GetIsolate(), text.c_str()));
}
void booleanValue(Call call) { Answer(call, call[0]->BooleanValue(call.GetIsolate())); }
void isRegExp(Call call) { Answer(call, call[0]->IsRegExp()); }
void getSource(Call call) { call.GetReturnValue().Set(call[0].As<RegExp>()->GetSource()); }
void getOwnPropertyNames(Call call) { Answer(call, call[0].As<Object>()->GetOwnPropertyNames(Here(call))); }
void has(Call call) { Answer(call, call[0].As<Object>()->Has(Here(call), call[1])); }

void hasInstance(Call call) { Answer(call, node::Buffer::HasInstance(call[0])); }
void length(Call call) { Answer(call, static_cast<double>(node::Buffer::Length(call[0].As<Object>()))); }
void isNull(Call call) { Answer(call, node::Buffer::Data(call[0].As<Object>()) == nullptr); }
// Reads every byte through Data and Length, then adds one to each in place.
void readAndBump(Call call) {
  auto view = call[0].As<Object>();
  char* bytes = node::Buffer::Data(view);
  auto before = Array::New(call.GetIsolate());
  for (size_t i = 0; i < node::Buffer::Length(view); i++) {
    auto byte = Number::New(call.GetIsolate(), static_cast<unsigned char>(bytes[i]++));
    before->Set(Here(call), i, byte).Check();
  }
  call.GetReturnValue().Set(before);
}
// A Buffer of as many 'x': its memory is handed over.
void newBuffer(Call call) {
  size_t length = static_cast<size_t>(call[0].As<Number>()->Value());
  char* memory = static_cast<char*>(std::malloc(length));
  if (memory) std::memset(memory, 'x', length);
  Answer(call, node::Buffer::New(call.GetIsolate(), memory, length));
}
void encode(Call call) {
  auto encoding = static_cast<enum node::encoding>(static_cast<int>(call[0].As<Number>()->Value()));
  Answer(call, node::TryEncode(call.GetIsolate(), "a\0\xff", 3, encoding));
}

// Two handles in different slots, as node-rdkafka has them: one kept in a Global, one just passed in.
void sameFunction(Call call) {
  Global<Function> kept(call.GetIsolate(), call[0].As<Function>());
  Answer(call, kept.Get(call.GetIsolate()) == call[1].As<Function>());
}
void emptyFunctionsAreEqual(Call call) {
  Local<Function> empty, given = call[0].As<Function>();
  Answer(call, empty == Local<Function>() && !(empty == given) && !(given == empty));
}

// Global handles, by number.
std::vector<Global<Value>> kept;
void keep(Call call) {
  kept.emplace_back(call.GetIsolate(), call[0]);
  Answer(call, static_cast<double>(kept.size() - 1));
}
Global<Value>& KeptAs(Local<Value> number) { return kept.at(static_cast<size_t>(number.As<Number>()->Value())); }
void read(Call call) { call.GetReturnValue().Set(KeptAs(call[0]).Get(call.GetIsolate())); }
void give(Call call) { KeptAs(call[0]).Reset(); }
// Gives a handle back while a local one made from it is in use, and others come and go.
void giveInUse(Call call) {
  auto local = KeptAs(call[0]).Get(call.GetIsolate());
  KeptAs(call[0]).Reset();
  Global<Value> other(call.GetIsolate(), call[1]);
  other.Reset();
  call.GetReturnValue().Set(local);
}

// Threads that add under a write lock and read under a read lock; the sum says whether the lock held.
struct Shared {
  uv_rwlock_t lock;
  std::atomic<int> readers{0};
  int sum = 0;
};
void rwlockAndThreads(Call call) {
  Shared shared;
  uv_thread_t threads[4];
  if (uv_rwlock_init(&shared.lock) != 0) return;
  for (auto& thread : threads) {
    auto work = [](void* given) {
      auto shared = static_cast<Shared*>(given);
      for (int i = 0; i < 10000; i++) {
        uv_rwlock_wrlock(&shared->lock);
        shared->sum = shared->sum + 1;
        uv_rwlock_wrunlock(&shared->lock);
        uv_rwlock_rdlock(&shared->lock);
        shared->readers += shared->sum > 0;
        uv_rwlock_rdunlock(&shared->lock);
      }
    };
    if (uv_thread_create(&thread, work, &shared) != 0) return;
  }
  for (auto& thread : threads) {
    if (uv_thread_join(&thread) != 0) return;
  }
  uv_rwlock_destroy(&shared.lock);
  Answer(call, static_cast<double>(shared.sum + shared.readers));
}

void Init(Local<Object> exports) {
#define EXPORT(name) NODE_SET_METHOD(exports, #name, name)
  EXPORT(toObject);
  EXPORT(int32Value);
  EXPORT(integerValue);
  EXPORT(booleanValue);
  EXPORT(isRegExp);
  EXPORT(getSource);
  EXPORT(getOwnPropertyNames);
  EXPORT(has);
  EXPORT(hasInstance);
  EXPORT(length);
  EXPORT(isNull);
  EXPORT(readAndBump);
  EXPORT(newBuffer);
  EXPORT(encode);
  EXPORT(sameFunction);
  EXPORT(emptyFunctionsAreEqual);
  EXPORT(keep);
  EXPORT(read);
  EXPORT(give);
  EXPORT(giveInUse);
  EXPORT(rwlockAndThreads);
}

}  // namespace

NODE_MODULE(bun_compat_test, Init)
