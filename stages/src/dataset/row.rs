//! A saved row as the item that it was made of: what the columns hold, handed to its `Deserialize`.

use crate::shape::{Column, Kind};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::{Error as JsonError, Value as Json};
use std::cell::Cell;

/// A field of a row: its column, and what was saved in it.
pub(super) struct Field<'a> {
    pub(super) column: &'a Column,
    pub(super) value: Json,
}

/// Makes an item of its fields; on an error also says which field was at fault, when it was one.
///
/// A `null` in a field that may not be absent was none when it was saved: it was left out.
pub(super) fn item<'a, T: DeserializeOwned>(
    fields: impl Iterator<Item = Field<'a>>,
) -> Result<T, (JsonError, Option<&'a str>)> {
    let at = Cell::new(None);
    let given = |field: &Field<'_>| field.column.nullable || !field.value.is_null();
    let fields = Fields { rest: fields.filter(given), value: None, at: &at };
    T::deserialize(Row(fields)).map_err(|error| (error, at.get()))
}

struct Row<A>(A);

impl<'de, A: MapAccess<'de, Error = JsonError>> Deserializer<'de> for Row<A> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_map(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Fields<'c, 'a, I> {
    rest: I,
    value: Option<Field<'a>>,
    at: &'c Cell<Option<&'a str>>,
}

impl<'de, 'a, I: Iterator<Item = Field<'a>>> MapAccess<'de> for Fields<'_, 'a, I> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, JsonError> {
        self.at.set(None);
        let Some(field) = self.rest.next() else { return Ok(None) };
        let name = field.column.name.as_str();
        self.value = Some(field);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        let Some(field) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its name"));
        };
        self.at.set(Some(&field.column.name));
        let json = match (field.column.kind, field.value) {
            // What is no JSON text was saved by a type that had plain text here.
            (Kind::Json, Json::String(text)) => {
                serde_json::from_str(&text).unwrap_or(Json::String(text))
            }
            (_, value) => value,
        };
        seed.deserialize(Saved(json))
    }
}

/// A value, as it was saved: what had no column type of its own is text.
struct Saved(Json);

impl Saved {
    /// What the text was before it became one; the text itself when it always was.
    fn unfolded(self) -> Json {
        match self.0 {
            Json::String(text) => match serde_json::from_str(&text) {
                Ok(json @ (Json::Object(_) | Json::Number(_))) => json,
                _ => Json::String(text),
            },
            other => other,
        }
    }
}

macro_rules! plain {
    ($($method:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            self.0.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Saved {
    type Error = JsonError;

    plain! {
        deserialize_any, deserialize_bool, deserialize_i8, deserialize_i16, deserialize_i32,
        deserialize_i64, deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64,
        deserialize_f32, deserialize_f64, deserialize_char, deserialize_str, deserialize_string,
        deserialize_bytes, deserialize_byte_buf, deserialize_unit, deserialize_seq,
        deserialize_map, deserialize_identifier, deserialize_ignored_any,
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.unfolded().deserialize_i128(visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.unfolded().deserialize_u128(visitor)
    }

    /// Variants without values are saved as their names, others as JSON text.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.unfolded().deserialize_enum(name, variants, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.0 {
            Json::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.0.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.0.deserialize_struct(name, fields, visitor)
    }
}
