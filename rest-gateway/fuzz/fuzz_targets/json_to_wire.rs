//! Any JSON text is refused, or becomes wire bytes that decode and go back to JSON.
#![no_main]

use contract::{EVERYTHING, TRANSCODER};
use libfuzzer_sys::fuzz_target;
use prost_reflect::DynamicMessage;

fuzz_target!(|json: &[u8]| {
    let Ok(wire) = TRANSCODER.to_wire(json) else { return };
    DynamicMessage::decode(EVERYTHING.clone(), wire.as_slice()).expect("what was accepted decodes");
    TRANSCODER.to_json(&wire).expect("what was accepted can be shown");
});
