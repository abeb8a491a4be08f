use proptest::prelude::*;

use super::*;

const ID: [u8; 16] = [7; 16];
const BOTH: Verbs = Verbs::ReadAndCancel;

fn ring(secrets: &[u8]) -> KeyRing {
    KeyRing::new(secrets.iter().map(|byte| [*byte; 32])).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1000)
}

/// Whether the ring takes it at a second, in that query.
fn takes(ring: &KeyRing, query: &str, needed: Verbs, now: u64) -> bool {
    ring.verify(&ID, Some(query), needed, at(now)).is_some()
}

#[test]
fn what_is_signed_is_taken_and_given_back_as_it_was() {
    let ring = ring(&[1]);
    for verbs in [Verbs::Read, Verbs::Cancel, BOTH] {
        for end in [0, 1, 1_795_348_800, 253_402_300_799] {
            let signature = ring.sign(&ID, verbs, at(end));
            let needed = if verbs == BOTH { Verbs::Read } else { verbs };
            let query = signature.parameter();
            assert_eq!(ring.verify(&ID, Some(query), needed, at(end)), Some(signature), "{query}");
            assert_eq!(format!("?{query}"), signature.query());
        }
    }
}

/// Others may have stored it; a change of the form has to be a new version.
#[test]
fn the_form_stays_as_it_is() {
    let signature = ring(&[1]).sign(&ID, BOTH, at(1_795_348_800));
    assert_eq!(signature.query(), "?sig=rkvP.rc.1795348800.cflzrOgDeE4NAwSJpezq8Q");
}

#[test]
fn each_verb_is_granted_apart() {
    let ring = ring(&[1]);
    for (verbs, read, cancel) in
        [(Verbs::Read, true, false), (Verbs::Cancel, false, true), (BOTH, true, true)]
    {
        let signature = ring.sign(&ID, verbs, at(100));
        let query = signature.parameter();
        assert_eq!(takes(&ring, query, Verbs::Read, 0), read, "{verbs:?}");
        assert_eq!(takes(&ring, query, Verbs::Cancel, 0), cancel, "{verbs:?}");
    }
}

#[test]
fn it_ends_a_minute_after_its_end() {
    let ring = ring(&[1]);
    let signature = ring.sign(&ID, BOTH, Timestamp::from_unix_millis(99_001));
    let query = signature.parameter();
    assert!(takes(&ring, query, Verbs::Read, 0));
    assert!(takes(&ring, query, Verbs::Read, 160));
    let late = Timestamp::from_unix_millis(160_001);
    assert_eq!(ring.verify(&ID, Some(query), Verbs::Read, late), None);
}

#[test]
fn a_caller_has_it_from_the_acceptance_on_for_the_lifetime() {
    let ring = ring(&[1]).lifetime(Duration::from_secs(10));
    assert_eq!(ring.sign_for_caller(&ID, at(90)), ring.sign(&ID, BOTH, at(100)));
    let forever = ring.lifetime(Duration::MAX);
    let signature = forever.sign_for_caller(&ID, at(90));
    assert!(takes(&forever, signature.parameter(), Verbs::Read, 253_402_300_799));
}

#[test]
fn the_first_key_signs_and_all_verify() {
    let (old, both, new) = (ring(&[1]), ring(&[2, 1]), ring(&[2]));
    let (of_old, of_both) = (old.sign(&ID, BOTH, at(9)), both.sign(&ID, BOTH, at(9)));
    assert_eq!(of_both, new.sign(&ID, BOTH, at(9)));
    for (ring, signature, taken) in [
        (&old, of_old, true),
        (&both, of_old, true),
        (&new, of_old, false),
        (&old, of_both, false),
        (&both, of_both, true),
        (&new, of_both, true),
    ] {
        assert_eq!(takes(ring, signature.parameter(), Verbs::Read, 0), taken, "{ring:?}");
    }
}

#[test]
fn it_is_for_one_operation() {
    let ring = ring(&[1]);
    let signature = ring.sign(&[8; 16], BOTH, at(9));
    assert!(!takes(&ring, signature.parameter(), Verbs::Read, 0));
}

/// Each character, by each other one that may stand in a query.
#[test]
fn one_that_was_changed_anywhere_is_refused() {
    let ring = ring(&[1]);
    let signature = ring.sign(&ID, Verbs::Read, at(1_795_348_800));
    let query = signature.parameter();
    for at in 0..query.len() {
        for byte in b'!'..=b'~' {
            let mut changed = query.as_bytes().to_vec();
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            let is_taken =
                [Verbs::Read, Verbs::Cancel].iter().any(|verbs| takes(&ring, &changed, *verbs, 0));
            assert_eq!(is_taken, changed == query, "{changed}");
        }
    }
}

#[test]
fn one_that_is_longer_or_shorter_or_there_twice_is_refused() {
    let ring = ring(&[1]);
    let signature = ring.sign(&ID, BOTH, at(9));
    let query = signature.parameter();
    for wrong in [
        String::new(),
        "sig".into(),
        "sig=".into(),
        "sig=...".into(),
        format!("{query}&{query}"),
        format!("{query}&sig"),
        format!("{query}."),
        format!("{query}="),
        format!("{query}A"),
        format!("x{query}"),
        query[..query.len() - 1].to_owned(),
        query.replace(".rc.", ".cr."),
        query.replace(".9.", ".09."),
        query.replace(".9.", ".+9."),
        query.replace(".9.", "..9."),
        query.replace(".9.", ".9"),
        query.replace("sig=", "Sig="),
        query.replace("sig=", "%73ig="),
    ] {
        assert!(!takes(&ring, &wrong, Verbs::Read, 0), "{wrong}");
    }
    for right in [format!("hop=1&{query}"), format!("{query}&hop=1"), format!("&{query}&x")] {
        assert!(takes(&ring, &right, Verbs::Read, 0), "{right}");
    }
}

#[test]
fn a_secret_of_fewer_than_32_bytes_is_refused() {
    assert_eq!(KeyRing::new([[1; 31]]).unwrap_err(), KeyRingError::Short { bytes: 31 });
    let second = KeyRing::new([&[1; 32][..], &[2; 5]]);
    assert_eq!(second.unwrap_err(), KeyRingError::Short { bytes: 5 });
    assert_eq!(KeyRing::new([[0_u8; 0]; 0]).unwrap_err(), KeyRingError::Empty);
    assert!(KeyRing::new([[1; 33]]).is_ok());
}

#[test]
fn neither_keys_nor_signatures_are_shown() {
    let ring = ring(b"kj");
    assert_eq!(format!("{ring:?}"), "KeyRing { keys: 2, lifetime: 86400s }");
    assert_eq!(format!("{:?}", ring.sign(&ID, BOTH, at(9))), "Signature");
}

proptest! {
    #[test]
    fn no_query_makes_it_panic_or_is_taken(query in "(sig=)?[a-zA-Z0-9._&=%-]{0,60}") {
        prop_assert!(!takes(&ring(&[1]), &query, Verbs::Read, 0));
    }

    #[test]
    fn every_signature_is_plain_in_fields_and_documents(end in any::<u64>(), id in any::<[u8; 16]>()) {
        let signature = ring(&[1]).sign(&id, BOTH, Timestamp::from_unix_millis(end));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"?=.-_".contains(&byte);
        prop_assert!(signature.query().bytes().all(plain), "{}", signature.query());
    }
}
