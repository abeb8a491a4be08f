use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;

type Target = (&'static str, fn(&[u8]));

/// Every target with the folder of its inputs.
const TARGETS: [Target; 8] = [
    ("envelope", envelope),
    ("grpc", grpc),
    ("headers", headers),
    ("idempotency_key", idempotency_key),
    ("path", path),
    ("prefer", prefer),
    ("prefer_long", prefer_long),
    ("signature", signature),
];

#[test]
fn every_input_that_fuzzing_has_kept_is_still_read_right() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    // The published package holds the library alone.
    if !fuzz.exists() {
        return;
    }
    for (name, target) in TARGETS {
        let folder = fuzz.join("corpus").join(name);
        let mut inputs: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|file| file.unwrap().path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{} is empty", folder.display());
        for input in inputs {
            println!("{}", input.display()); // shown if it fails
            target(&fs::read(&input).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_right(data in prop::collection::vec(any::<u8>(), 0..200)) {
        // A long line of them takes its time.
        for (_, target) in TARGETS.iter().filter(|(name, _)| *name != "prefer_long") {
            target(&data);
        }
    }
}
