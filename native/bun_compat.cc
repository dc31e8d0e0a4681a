// The functions of V8 and Node that node-rdkafka calls and Bun does not have, each with the outcome that V8
// documents: an exception in JavaScript gives an empty result and stays pending, it never ends the process.
//
// They are made of calls that Bun does have, and where only JavaScript can answer, of its own built-ins.
// All are weak: where a newer Bun, or anything that is linked along, brings one itself, that one is taken.
#include <node_buffer.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#define WEAK __attribute__((weak))

using v8::Context;
using v8::Isolate;
using v8::Local;
using v8::Maybe;
using v8::MaybeLocal;
using v8::String;
using v8::Value;

namespace {

// The handle whose method was called: V8 passes a handle's slot as `this`.
template <class T>
Local<T> HandleOf(const T* self) {
  Local<T> handle;
  static_assert(sizeof handle == sizeof self);
  std::memcpy(static_cast<void*>(&handle), &self, sizeof self);
  return handle;
}

Local<Context> CurrentContext() { return Isolate::GetCurrent()->GetCurrentContext(); }

// For the texts below, which are short and plain: making one can't fail.
Local<String> Text(const char* name) {
  return String::NewFromUtf8(Isolate::GetCurrent(), name).ToLocalChecked();
}

MaybeLocal<Value> Member(Local<Context> context, Local<Value> object, const char* name) {
  return object.As<v8::Object>()->Get(context, Text(name));
}

// A static function of JavaScript, such as Reflect.has, found at its first call and kept: finding it costs more
// than calling it. A Worker is a thread with functions of its own, hence thread_local below; the handle is
// never freed, as at the end of its thread there is nothing left to free it in.
class Builtin {
 public:
  constexpr Builtin(const char* object, const char* name) : object_(object), name_(name) {}

  template <class... Arguments>
  MaybeLocal<Value> operator()(Local<Context> context, Arguments... arguments) {
    if (!function_) {
      Local<Value> object, function;
      if (!Member(context, context->Global(), object_).ToLocal(&object)) return {};
      if (!Member(context, object, name_).ToLocal(&function)) return {};
      function_ = new v8::Global<v8::Function>(Isolate::GetCurrent(), function.As<v8::Function>());
    }
    Local<Value> argv[] = {arguments...};
    return function_->Get(Isolate::GetCurrent())->Call(context, context->Global(), sizeof...(arguments), argv);
  }

 private:
  const char* object_;
  const char* name_;
  v8::Global<v8::Function>* function_ = nullptr;
};

}  // namespace

namespace v8 {

// Every argument that has to be an object: configurations, topics, buffers, headers.
WEAK MaybeLocal<Object> Value::ToObject(Local<Context> context) const {
  static thread_local Builtin object("globalThis", "Object");
  auto self = HandleOf<Value>(this);
  if (self->IsObject()) return self.As<Object>();
  if (self->IsNullOrUndefined()) {
    Isolate::GetCurrent()->ThrowException(
        Exception::TypeError(Text("Cannot convert undefined or null to object")));
    return {};
  }
  Local<Value> wrapped;
  if (!object(context, self).ToLocal(&wrapped)) return {};
  return wrapped.As<Object>();
}

// Partitions, timeouts, whole numbers in configurations. Modulo 2^32, as ToInt32 of ECMAScript.
WEAK Maybe<int32_t> Value::Int32Value(Local<Context> context) const {
  Local<Int32> converted;
  if (!ToInt32(context).ToLocal(&converted)) return Nothing<int32_t>();
  return Just(converted->Value());
}

// Offsets and timestamps. What does not fit becomes the nearest that does, and NaN zero, as in V8. (The cast
// alone would be undefined there, and Bun's own Integer::Value() is that cast.)
WEAK Maybe<int64_t> Value::IntegerValue(Local<Context> context) const {
  using Limits = std::numeric_limits<int64_t>;
  Local<Integer> converted;
  if (!ToInteger(context).ToLocal(&converted)) return Nothing<int64_t>();
  double whole = converted.As<Number>()->Value();
  if (std::isnan(whole)) return Just<int64_t>(0);
  if (whole >= 0x1p63) return Just(Limits::max());
  if (whole < -0x1p63) return Just(Limits::min());
  return Just(static_cast<int64_t>(whole));
}

// Switches in configurations. Asking what is truthy has no exceptions in JavaScript.
WEAK bool Value::BooleanValue(Isolate* isolate) const {
  static thread_local Builtin boolean("globalThis", "Boolean");
  auto self = HandleOf<Value>(this);
  if (self->IsBoolean()) return self->IsTrue();
  Local<Value> truth;
  return boolean(isolate->GetCurrentContext(), self).ToLocal(&truth) && truth->IsTrue();
}

// Topics to subscribe to by pattern. Asks for the object's true kind: a plain object with the members of a
// RegExp is none, nor is its prototype.
WEAK bool Value::IsRegExp() const {
  static thread_local Builtin module("process", "getBuiltinModule");
  auto context = CurrentContext();
  Local<Value> self = HandleOf<Value>(this), util, types, is_regexp, answer;
  return self->IsObject() && module(context, Text("util")).ToLocal(&util) &&
         Member(context, util, "types").ToLocal(&types) && Member(context, types, "isRegExp").ToLocal(&is_regexp) &&
         is_regexp.As<Function>()->Call(context, types, 1, &self).ToLocal(&answer) && answer->IsTrue();
}

// The pattern of such a topic. Read by the prototype's own getter: an object may hide it behind a member.
WEAK Local<String> RegExp::GetSource() const {
  static thread_local Builtin get("Reflect", "get");
  auto context = CurrentContext();
  Local<Value> regexp, prototype, source;
  if (!Member(context, context->Global(), "RegExp").ToLocal(&regexp)) return {};
  if (!Member(context, regexp, "prototype").ToLocal(&prototype)) return {};
  if (!get(context, prototype, Text("source"), HandleOf<RegExp>(this)).ToLocal(&source)) return {};
  return source.As<String>();
}

// The names in a configuration, the name of a header. Index keys come as strings, where V8 gives numbers:
// node-rdkafka makes strings of them, or in a configuration passes over numbers in silence.
WEAK MaybeLocal<Array> Object::GetOwnPropertyNames(Local<Context> context) {
  static thread_local Builtin keys("Object", "keys");
  Local<v8::Value> names;
  if (!keys(context, HandleOf<Object>(this)).ToLocal(&names)) return {};
  return names.As<Array>();
}

// Whether an optional member of a configuration or a topic is there, inherited ones included.
WEAK Maybe<bool> Object::Has(Local<Context> context, Local<v8::Value> key) {
  static thread_local Builtin has("Reflect", "has");
  Local<v8::Value> answer;
  if (!has(context, HandleOf<Object>(this), key).ToLocal(&answer)) return Nothing<bool>();
  return Just(answer->IsTrue());
}

}  // namespace v8

namespace node {

namespace Buffer {

// Whether a message or a key is bytes; as in Node, any view on an ArrayBuffer is, not only a Buffer.
WEAK bool HasInstance(Local<Value> value) {
  static thread_local Builtin is_view("ArrayBuffer", "isView");
  if (value->IsUint8Array()) return true; // each Buffer: the usual case, without a call to JavaScript
  Local<v8::Value> answer;
  return value->IsObject() && is_view(CurrentContext(), value).ToLocal(&answer) && answer->IsTrue();
}

WEAK size_t Length(Local<v8::Object> view) { return view.As<v8::ArrayBufferView>()->ByteLength(); }

// The bytes of a message or key. Never null: to librdkafka null is "no value", which deletes a key in a compacted
// topic, and an empty Buffer is an empty value.
WEAK char* Data(Local<v8::Object> view) {
  static char nothing;
  auto bytes = view.As<v8::ArrayBufferView>();
  if (bytes->ByteLength() == 0) return &nothing;
  return static_cast<char*>(bytes->Buffer()->GetBackingStore()->Data()) + bytes->ByteOffset();
}

// What was received, as a Buffer of its own; it may be kept for long, so it has no part in a shared pool. The bytes
// go in as a Latin-1 text, one character a byte: asking a small Buffer for its memory, to write there, makes Bun move
// it out of the heap first, which costs more than all the rest.
static MaybeLocal<v8::Object> CopyOf(Isolate* isolate, const char* data, size_t length) {
  static thread_local Builtin from("Buffer", "from");
  static thread_local auto latin1 = new v8::Global<String>(isolate, Text("latin1")); // never freed, as above
  Local<String> bytes;
  Local<Value> buffer;
  auto characters = reinterpret_cast<const uint8_t*>(data);
  if (!String::NewFromOneByte(isolate, characters, v8::NewStringType::kNormal, static_cast<int>(length))
           .ToLocal(&bytes))
    return {};
  if (!from(isolate->GetCurrentContext(), bytes, latin1->Get(isolate)).ToLocal(&buffer)) return {};
  return buffer.As<v8::Object>();
}

// The key and value in a delivery report. Takes the memory over, as in Node, whatever the outcome; Bun has no way
// to lend it to a Buffer, so it is copied and freed at once.
WEAK MaybeLocal<v8::Object> New(Isolate* isolate, char* data, size_t length) {
  auto copy = CopyOf(isolate, data, length);
  std::free(data);
  return copy;
}

}  // namespace Buffer

// The key, value and headers of a message that was read. They are bytes; node-rdkafka asks for nothing else, so
// any other encoding is refused aloud.
WEAK MaybeLocal<Value> TryEncode(Isolate* isolate, const char* data, size_t length, enum encoding encoding) {
  if (encoding != BUFFER) {
    isolate->ThrowException(v8::Exception::TypeError(Text("Only bytes are supported: encode the Buffer")));
    return {};
  }
  Local<v8::Object> copy;
  if (!Buffer::CopyOf(isolate, data, length).ToLocal(&copy)) return {};
  return copy;
}

}  // namespace node
