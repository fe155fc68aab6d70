//! A deserialiser that serves no values but notes what is asked of it.
//!
//! A derived `Deserialize` first names its fields (`deserialize_struct`), then asks for each value
//! by its type. We hand over one key, note which type its value is asked as, and end there with an
//! error of our own; one trace per field.

use super::columns::Kind;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use std::cell::{Cell, RefCell};
use std::fmt;

/// What a field was asked as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

/// The names of a struct's fields; `None` when the type is no struct with named fields.
pub(super) fn fields<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let names = RefCell::new(None);
    let traced = T::deserialize(Root { names: &names, key: None, asked: &Cell::new(None) });
    // The trace always ends with our own error; what counts is what was noted on the way.
    debug_assert!(traced.is_err() || names.borrow().is_none());
    names.into_inner()
}

/// What the n-th field is asked as.
pub(super) fn field<T: DeserializeOwned>(fields: &[&'static str], n: usize) -> Option<Asked> {
    let asked = Cell::new(None);
    let key = fields.get(n).copied();
    let traced = T::deserialize(Root { names: &RefCell::new(None), key, asked: &asked });
    debug_assert!(traced.is_err() || asked.get().is_none());
    asked.get()
}

/// The end of a trace.
#[derive(Debug)]
struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the trace ends here")
    }
}

impl std::error::Error for Ended {}

impl de::Error for Ended {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Ended
    }
}

struct Root<'a> {
    names: &'a RefCell<Option<&'static [&'static str]>>,
    key: Option<&'static str>,
    asked: &'a Cell<Option<Asked>>,
}

impl<'de> Deserializer<'de> for Root<'_> {
    type Error = Ended;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Ended> {
        Err(Ended)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Ended> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Ended> {
        *self.names.borrow_mut() = Some(fields);
        match self.key {
            None => Err(Ended),
            Some(key) => visitor.visit_map(OneKey { key, asked: self.asked }),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A map with the one key that is traced.
struct OneKey<'a> {
    key: &'static str,
    asked: &'a Cell<Option<Asked>>,
}

impl<'de> MapAccess<'de> for OneKey<'_> {
    type Error = Ended;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Ended> {
        let key: StrDeserializer<'_, Ended> = self.key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Ended> {
        seed.deserialize(Value { asked: self.asked, nullable: false })
    }
}

/// A value that only notes as what it is asked.
struct Value<'a> {
    asked: &'a Cell<Option<Asked>>,
    nullable: bool,
}

impl Value<'_> {
    fn note<T>(self, kind: Kind, nullable: bool) -> Result<T, Ended> {
        self.asked.set(Some(Asked { kind, nullable: nullable || self.nullable }));
        Err(Ended)
    }
}

macro_rules! noted {
    ($($method:ident => $kind:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Ended> {
            self.note(Kind::$kind, false)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Ended;

    noted! {
        deserialize_bool => Bool,
        deserialize_i8 => Integer, deserialize_i16 => Integer, deserialize_i32 => Integer,
        deserialize_i64 => Integer, deserialize_i128 => Text, deserialize_u8 => Integer,
        deserialize_u16 => Integer, deserialize_u32 => Integer, deserialize_u64 => Integer,
        deserialize_u128 => Text, deserialize_f32 => Real, deserialize_f64 => Real,
        deserialize_char => Text, deserialize_str => Text, deserialize_string => Text,
        deserialize_bytes => Json, deserialize_byte_buf => Json, deserialize_seq => Json,
        deserialize_map => Json, deserialize_identifier => Text,
    }

    /// A value of any shape, `serde_json::Value` for instance: it may be null.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Ended> {
        self.note(Kind::Json, true)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Ended> {
        self.note(Kind::Json, true)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Ended> {
        self.note(Kind::Json, true)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Ended> {
        self.note(Kind::Json, true)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Ended> {
        visitor.visit_some(Value { asked: self.asked, nullable: true })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Ended> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Ended> {
        self.note(Kind::Json, false)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Ended> {
        self.note(Kind::Json, false)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Ended> {
        self.note(Kind::Json, false)
    }

    /// Unit variants are written as their names; others become JSON text in the same column.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Ended> {
        self.note(Kind::Text, false)
    }
}
