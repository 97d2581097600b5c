//! Restrictions that the gateway does not enforce, and so refuses.

use serde_json::Value;

/// Returns whether a value contains more than nulls, `false` and empty lists.
pub(crate) fn names_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => fields.values().any(names_something),
        Value::Number(_) | Value::String(_) => true,
    }
}
