use crate::{
    clock::Timestamp,
    signature::{KeyRing, Verbs},
};

/// Reading the signature of a URL never panics; nobody makes one up; and one of ours is taken, in any query
/// that has no other, and whatever of it is changed is not.
pub fn signature(data: &[u8]) {
    let ring = KeyRing::new([[7; 32]]).expect("a secret of 32 bytes");
    let (id, now) = ([7; 16], Timestamp::default());
    let Ok(query) = str::from_utf8(data) else { return };
    let ours = ring.sign(&id, Verbs::Read, now);
    let ours = ours.parameter();
    let taken = ring.verify(&id, Some(query), Verbs::Read, now);
    let says_it = query.split('&').any(|pair| pair == ours);
    assert!(taken.is_none() || says_it, "{query} was made up");
    if let Some(taken) = taken {
        assert_eq!(taken.parameter(), ours);
    }
    assert!(ring.verify(&id, Some(query), Verbs::Cancel, now).is_none(), "{query} was made up");
    let has_one = query.split('&').any(|pair| pair == "sig" || pair.starts_with("sig="));
    let both = format!("{query}&{ours}");
    assert_eq!(ring.verify(&id, Some(&both), Verbs::Read, now).is_some(), !has_one, "{both}");
}
