//! The mapping between messages and JSON, value by value.

use prost_reflect::{DynamicMessage, MapKey, Value};
use serde_json::{Value as Json, json};

use crate::contract::{everything, transcoder};

/// The JSON of what a JSON text stands for.
fn round_trip(json: &str) -> Json {
    let transcoder = transcoder();
    let wire = transcoder.to_wire(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
    serde_json::from_str(&transcoder.to_json(&wire).unwrap()).unwrap()
}

fn refusal(json: &str) -> String {
    transcoder().to_wire(json.as_bytes()).expect_err(json).to_string()
}

fn message(json: &str) -> DynamicMessage {
    DynamicMessage::decode(everything(), transcoder().to_wire(json.as_bytes()).unwrap().as_slice()).unwrap()
}

#[test]
fn an_empty_message_shows_every_default() {
    let expected = r#"{
        "bool": false, "int32": 0, "int64": 0, "uint32": 0, "uint64": 0, "sint32": 0, "sint64": 0, "fixed32": 0, "fixed64": 0,
        "sfixed32": 0, "sfixed64": 0, "float": 0.0, "double": 0.0, "string": "", "bytes": "", "colour": "", "child": null,
        "maybeINT": null, "maybe_string": null, "ints": [], "unpacked": [], "doubles": [], "strings": [], "colours": [],
        "children": [], "labels": {}, "by_number": {}, "by_bool": {}, "by_size": {}, "time": null, "duration": null,
        "mask": null, "struct": null, "value": null, "list": null, "wrapped_int": null, "wrapped_string": null, "times": [],
        "empty": null, "bools": [], "marks": {}, "fixeds": [], "inlined": null, "far": ""
    }"#;
    let expected = serde_json::from_str::<Json>(expected).unwrap();
    assert_eq!(round_trip(""), expected);
    assert_eq!(round_trip(" \n"), expected);
    assert_eq!(round_trip("null"), expected);
    assert_eq!(round_trip(r#"{"unknown": {"a": [1, null, "x"]}, "child": null, "int32": null}"#), expected);
}

#[test]
fn values_survive_both_ways() {
    let cases = [
        ("bool", json!(true)),
        ("int32", json!(i32::MIN)),
        ("int64", json!(i64::MIN)),
        ("uint32", json!(u32::MAX)),
        ("uint64", json!(u64::MAX)),
        ("sint32", json!(i32::MIN)),
        ("sint64", json!(i64::MIN)),
        ("fixed64", json!(u64::MAX)),
        ("sfixed32", json!(-7)),
        ("sfixed64", json!(i64::MIN)),
        ("float", json!(-1.5)),
        ("double", json!(1e300)),
        ("string", json!("a\"\\\n\u{1}\u{7f}é🦀/")),
        ("bytes", json!("AP/+")),
        ("colour", json!("dark-blue")),
        ("colour", json!("COLOUR_PLAIN")),
        ("colour", json!(77)),
        ("maybeINT", json!(0)),
        ("maybe_string", json!("")),
        ("ints", json!([1, -2, 3])),
        ("unpacked", json!([-1, 0])),
        ("strings", json!(["", "x"])),
        ("colours", json!(["red", "", 9])),
        ("labels", json!({"a": "b", "": ""})),
        ("by_bool", json!({"true": "AA=="})),
        ("by_size", json!({"18446744073709551615": "red"})),
        ("marks", json!({"x": "2026-01-31T12:00:00.5Z"})),
        ("time", json!("1969-12-31T23:59:59.999999999Z")),
        ("duration", json!("-1.5s")),
        ("mask", json!("a.b,c")),
        ("struct", json!({"a": [1, 2.5, {"b": null}], "c": true})),
        ("value", json!([[], {}, "x"])),
        ("list", json!([null, -3])),
        ("wrapped_int", json!(0)),
        ("wrapped_string", json!("")),
        ("empty", json!({})),
        ("choice_text", json!("")),
        ("choice_number", json!(5)),
        ("far", json!("there")),
    ];
    for (key, value) in cases {
        let answer = round_trip(&json!({ key: value }).to_string());
        assert_eq!(answer[key], value, "{key}");
    }
}

#[test]
fn other_spellings_are_understood() {
    let cases = [
        (r#"{"maybe_int": 4}"#, "maybeINT", json!(4)),
        (r#"{"maybeInt": 4}"#, "maybeINT", json!(4)),
        (r#"{"\u006daybeINT": 4}"#, "maybeINT", json!(4)),
        (r#"{"int64": "-9223372036854775808"}"#, "int64", json!(i64::MIN)),
        (r#"{"int32": 1e3, "x": 1}"#, "int32", json!(1000)),
        (r#"{"int32": -5.0}"#, "int32", json!(-5)),
        (r#"{"colour": "ROUGE"}"#, "colour", json!("red")),
        (r#"{"colour": "Red"}"#, "colour", json!("red")),
        (r#"{"colour": "COLOUR_DARK_BLUE"}"#, "colour", json!("dark-blue")),
        (r#"{"colour": -3}"#, "colour", json!("COLOUR_PLAIN")),
        (r#"{"bytes": "AP_-"}"#, "bytes", json!("AP/+")),
        (r#"{"bytes": "AA"}"#, "bytes", json!("AA==")),
        (r#"{"time": "2024-02-29T13:34:56+01:00"}"#, "time", json!("2024-02-29T12:34:56Z")),
        (r#"{"string": "\ud83e\udd80\/\b"}"#, "string", json!("🦀/\u{8}")),
        (r#"{"string": "a", "string": "b"}"#, "string", json!("b")),
        (r#"{"string": "a", "string": null}"#, "string", json!("")),
        (r#"{"ints": [1, 2], "bool": true, "ints": [3]}"#, "ints", json!([3])),
        (r#"{"labels": {"a": "1", "a": "2"}}"#, "labels", json!({"a": "2"})),
        (r#"{"choice_text": "x", "choice_number": 3}"#, "choice_number", json!(3)),
    ];
    for (sent, key, expected) in cases {
        assert_eq!(round_trip(sent)[key], expected, "{sent}");
    }
    let answer = round_trip(r#"{"choice_text": "x", "choice_number": 3}"#);
    assert_eq!(answer.get("choice_text"), None);
}

#[test]
fn inlined_fields_are_accepted_beside_and_inside() {
    let expected = json!({"image": "i", "words": ["a", "b"], "resources": {"gpuCount": 2}});
    for sent in [
        r#"{"inlined": {"image": "i", "words": ["a", "b"], "resources": {"gpuCount": 2}}}"#,
        r#"{"image": "i", "words": ["a", "b"], "resources": {"gpuCount": 2}}"#,
        r#"{"image": "j", "words": ["x"], "resources": {"gpuCount": 2}, "words": ["a", "b"], "image": "i"}"#,
        r#"{"inlined": {"image": "j", "words": ["a", "b"]}, "image": "i", "resources": {"gpu_count": 2}}"#,
    ] {
        assert_eq!(round_trip(sent)["inlined"], expected, "{sent}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_by_its_path() {
    let cases = [
        (r#"{"inlined": {"resources": {"gpuCount": "2"}}}"#, "inlined.resources.gpuCount: expected an integer"),
        (r#"{"resources": {"gpuCount": 1.5}}"#, "resources.gpuCount: expected an integer"),
        (r#"{"children": [{}, {"ints": [1, true]}]}"#, "children[1].ints[1]: expected an integer"),
        (r#"{"labels": {"a": 1}}"#, "labels.a: expected a string"),
        (r#"{"labels": {"a": null}}"#, "labels.a: expected a string"),
        (r#"{"strings": ["a", null]}"#, "strings[1]: expected a string"),
        (r#"{"by_number": {"x": {}}}"#, "by_number.x: expected an integer"),
        (r#"{"bool": 1}"#, "bool: expected true or false"),
        (r#"{"string": {}}"#, "string: expected a string"),
        (r#"{"ints": {}}"#, "ints: expected an array"),
        (r#"{"child": []}"#, "child: expected an object"),
        (r#"{"double": "1"}"#, "double: expected a number"),
        (r#"{"bytes": "?"}"#, "bytes: expected a base64 string"),
        (r#"{"time": "noon"}"#, "time: expected a time such as 2026-01-31T12:00:00Z"),
        (r#"{"duration": 5}"#, "duration: expected a duration such as 1.5s"),
        (r#"{"colour": "green"}"#, "colour: expected one of `COLOUR_PLAIN`, `red`, `dark-blue`"),
        (r#"{"colour": true}"#, "colour: expected a word or a number"),
        (r#"{"int32": 2147483648}"#, "int32: out of range: expected an integer from -2147483648 to 2147483647"),
        (r#"{"uint64": -1}"#, "uint64: out of range: expected an integer from 0 to 18446744073709551615"),
        (r#"{"int64": 1e30}"#, "int64: out of range: expected an integer from -9223372036854775808 to 9223372036854775807"),
        (r#"{"double": 1e999}"#, "double: out of range: the number is too large"),
        (r#"{"float": 1e39}"#, "float: out of range: the number is too large"),
        ("[]", "expected an object"),
    ];
    for (sent, expected) in cases {
        assert_eq!(refusal(sent), expected, "{sent}");
    }
}

#[test]
fn malformed_text_is_refused_with_its_place() {
    let cases = [
        ("{", "line 1, column 2: expected a member name in quotes"),
        ("{\"int32\": 1,\n  oops}", "line 2, column 3: expected a member name in quotes"),
        (r#"{"int32": 01}"#, "line 1, column 12: expected `,` or `}`"),
        (r#"{"int32": tru}"#, "line 1, column 11: expected a value"),
        (r#"{"é": -}"#, "line 1, column 8: expected a digit"),
        (r#"{"a": 1.}"#, "line 1, column 9: expected a digit"),
        (r#"{"a": "x}"#, "line 1, column 10: expected the end of the string"),
        ("{\"a\": \"\t\"}", "line 1, column 8: expected the end of the string"),
        (r#"{"a": "\x"}"#, "line 1, column 8: expected an escape that JSON knows"),
        (r#"{"a": "\ud83e"}"#, "line 1, column 8: expected four hexadecimal digits of a character"),
        (r#"{"a": [1 2]}"#, "line 1, column 10: expected `,` or `]`"),
        (r#"{"a": [1,]}"#, "line 1, column 10: expected a value"),
        (r#"{"ints": [1,]}"#, "line 1, column 13: expected a value"),
        (r#"{"a": 1,}"#, "line 1, column 9: expected a member name in quotes"),
        (r#"{"a" 1}"#, "line 1, column 6: expected `:`"),
        ("{} {}", "line 1, column 4: expected the end of the text"),
    ];
    for (sent, expected) in cases {
        assert_eq!(refusal(sent), format!("malformed JSON at {expected}"), "{sent}");
    }
    assert!(transcoder().to_wire(b"{\"string\": \"\xff\"}").unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |levels: usize| format!("{}{{}}{}", r#"{"child":"#.repeat(levels), "}".repeat(levels));
    assert!(transcoder().to_wire(nested(63).as_bytes()).is_ok());
    assert!(refusal(&nested(64)).contains("fewer levels"));
    let skipped = format!(r#"{{"unknown": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(refusal(&skipped).contains("fewer levels"));
    let dynamic = format!(r#"{{"value": {}{}}}"#, "[".repeat(21), "]".repeat(21));
    assert!(DynamicMessage::decode(everything(), transcoder().to_wire(dynamic.as_bytes()).unwrap().as_slice()).is_ok());
}

#[test]
fn fields_in_any_order_and_number_merge() {
    let part = |json: &str| transcoder().to_wire(json.as_bytes()).unwrap();
    let parts = [
        r#"{"strings": ["a"], "child": {"int32": 1, "strings": ["x"]}}"#,
        r#"{"bool": true, "choice_message": {"int32": 1}}"#,
        r#"{"strings": ["b"], "child": {"int32": 2, "bool": true, "strings": ["y"]}, "choice_text": "t"}"#,
        r#"{"labels": {"k": "1", "j": "0"}, "ints": [1]}"#,
        r#"{"labels": {"k": "2"}, "ints": [2, 3], "choice_message": {"bool": true}}"#,
    ];
    let wire = parts.iter().flat_map(|json| part(json)).collect::<Vec<_>>();
    let answer: Json = serde_json::from_str(&transcoder().to_json(&wire).unwrap()).unwrap();
    assert_eq!(answer["strings"], json!(["a", "b"]));
    assert_eq!(answer["child"]["int32"], json!(2));
    assert_eq!(answer["child"]["bool"], json!(true));
    assert_eq!(answer["child"]["strings"], json!(["x", "y"]));
    assert_eq!(answer["labels"], json!({"j": "0", "k": "2"}));
    assert_eq!(answer["ints"], json!([1, 2, 3]));
    assert_eq!(answer["choice_message"]["bool"], json!(true));
    assert_eq!(answer["choice_message"]["int32"], json!(0), "another member came between");
    assert_eq!(answer.get("choice_text"), None);
}

#[test]
fn numbers_that_json_cannot_write_are_null() {
    let mut message = message("{}");
    message.set_field_by_name("float", Value::F32(f32::NAN));
    message.set_field_by_name("doubles", Value::List(vec![Value::F64(f64::INFINITY), Value::F64(1.0)]));
    let answer: Json = serde_json::from_str(&transcoder().to_json(&prost::Message::encode_to_vec(&message)).unwrap()).unwrap();
    assert_eq!(answer["float"], Json::Null);
    assert_eq!(answer["doubles"], json!([null, 1.0]));
}

#[test]
fn map_keys_of_every_kind_are_strings() {
    let message = message(r#"{"by_number": {"-5": {"bool": true}}, "by_bool": {"false": ""}}"#);
    let by_number = message.get_field_by_name("by_number").unwrap().into_owned();
    assert!(by_number.as_map().unwrap().contains_key(&MapKey::I32(-5)));
    let by_bool = message.get_field_by_name("by_bool").unwrap().into_owned();
    assert!(by_bool.as_map().unwrap().contains_key(&MapKey::Bool(false)));
}

#[test]
fn malformed_wire_is_an_error() {
    let cases: [(&[u8], &str); 8] = [
        (&[0x08], "ends within"),
        (&[0x0b, 0x0c], "wire type"),
        (&[0x0a, 0x01, 0x01], "field 1 has another wire type"),
        (&[0x72, 0x01, 0xff], "UTF-8"),
        (&[0xf2, 0x01, 0x01, 0x08], "ends within"),
        (&[0xf2, 0x01, 0x06, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff], "ends within"),
        (&[0xf2, 0x01, 0x07, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "out of range"),
        (&[0xd2, 0x01, 0x04, 0x0a, 0x02, 0x61, 0xff], "UTF-8"),
    ];
    for (wire, expected) in cases {
        let error = transcoder().to_json(wire).expect_err(expected).to_string();
        assert!(error.contains(expected), "{wire:x?}: {error}");
    }
}
