//! Enums whose values have a name on the wire, which is also what the store keeps.

/// Gives an enum its name on the wire as text, and reads it back.
macro_rules! wire_name {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        }

        impl TryFrom<String> for $type {
            type Error = serde::de::value::Error;

            fn try_from(name: String) -> Result<Self, Self::Error> {
                use serde::de::IntoDeserializer as _;
                serde::Deserialize::deserialize(name.into_deserializer())
            }
        }
    };
}

pub(crate) use wire_name;
