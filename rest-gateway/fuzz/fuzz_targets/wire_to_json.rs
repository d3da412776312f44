//! Any bytes are refused, or become text that is JSON.
#![no_main]

use contract::TRANSCODER;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|wire: &[u8]| {
    let Ok(json) = TRANSCODER.to_json(wire) else { return };
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&json) {
        // Only the reader's own limit of nesting excuses.
        assert!(error.to_string().contains("recursion limit"), "{error}: {json}");
    }
});
