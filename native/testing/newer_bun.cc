// What a newer Bun would be to the addon: something loaded before it that brings one of the functions itself. It can
// be told by its answer: nothing is true. Linked with bun_compat, so that it also shows that two do not collide.
#include <v8.h>

bool v8::Value::BooleanValue(v8::Isolate*) const { return false; }
