//! What goes wrong with processes and links, and when.

use std::time::Duration;

use crate::{
    dice::Dice,
    scenario::{CALM, REPLICAS},
};

/// Something that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// The replica dies, with all that is in its memory.
    Crash(usize),
    /// It is started again.
    Start(usize),
    /// It is told to stop, may finish for so long, and is started again.
    Drain(usize, Duration),
    /// The link between the replica and the store.
    Link(usize, Link),
    /// The link between the replica and its clients.
    Door(usize, Link),
    StoreDown,
    /// With all that it had stored.
    StoreUp,
    /// The store's clock goes forward by so much at once.
    Jump(Duration),
}

/// How a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    #[default]
    Good,
    /// Nothing arrives.
    Cut,
    /// What the replica sends does not arrive.
    Mute,
    /// What is sent to the replica does not arrive.
    Deaf,
    /// What is sent arrives when it is good again.
    Held,
}

/// How things are at present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sky {
    pub(crate) replicas: [Place; REPLICAS],
    pub(crate) store_is_down: bool,
    /// How often the store was started again.
    pub(crate) store_starts: u32,
    /// How far the store's clock is ahead.
    pub(crate) ahead: Duration,
    pub(crate) last_jump: Option<Duration>,
}

/// How a replica is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) link: Link,
    pub(crate) door: Link,
    pub(crate) state: Life,
    /// How often it was started.
    pub(crate) starts: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    #[default]
    Up,
    /// Only while it is being killed.
    Dying,
    Down,
    Draining,
    /// It has finished, and can be started again.
    Drained,
}

/// What goes wrong in one run, in the order of time. Ends with everything being well.
pub(crate) fn forecast(dice: &mut Dice) -> Vec<(Duration, Change)> {
    let mut changes = Vec::new();
    let calm = CALM.as_millis() as u64;
    for replica in 0..REPLICAS {
        let busy = dice.pick(&[0, 2_000, 5_000]);
        spells(dice, busy, |dice, from, to| {
            let link = dice.pick(&[Link::Cut, Link::Cut, Link::Deaf, Link::Mute, Link::Held]);
            changes.push((from, Change::Link(replica, link)));
            changes.push((to, Change::Link(replica, Link::Good)));
        });
        let busy = dice.pick(&[0, 0, 6_000]);
        spells(dice, busy, |dice, from, to| {
            let link = dice.pick(&[Link::Cut, Link::Deaf, Link::Mute, Link::Held]);
            changes.push((from, Change::Door(replica, link)));
            changes.push((to, Change::Door(replica, Link::Good)));
        });
        let busy = dice.pick(&[0, 4_000, 7_000]);
        spells(dice, busy, |dice, from, to| {
            if dice.chance(30) {
                changes.push((from, Change::Drain(replica, dice.millis(0..2_000))));
            } else {
                changes.push((from, Change::Crash(replica)));
                // Often at once, as a supervisor does.
                let to = if dice.chance(50) { from } else { to };
                changes.push((to, Change::Start(replica)));
            }
        });
    }
    let busy = dice.pick(&[0, 0, 6_000]);
    spells(dice, busy, |dice, from, to| {
        changes.push((from, Change::StoreDown));
        let to = if dice.chance(40) { from } else { to };
        changes.push((to, Change::StoreUp));
    });
    if dice.chance(35) {
        for _ in 0..=dice.below(3) {
            let ahead = Duration::from_millis(dice.pick(&[300, 1_000, 2_000, 2_500, 5_000]));
            changes.push((dice.millis(1_000..calm), Change::Jump(ahead)));
        }
    }
    // Stable: what was decided first for a moment happens first.
    changes.sort_by_key(|(at, _)| *at);
    changes
}

/// Spells from one time to another, one after the other, with pauses of so long on average; none if that
/// is no time.
fn spells(dice: &mut Dice, pause: u64, mut spell: impl FnMut(&mut Dice, Duration, Duration)) {
    if pause == 0 {
        return;
    }
    let mut at = dice.millis(500..500 + 2 * pause);
    while at < CALM {
        let longest = dice.pick(&[600, 2_000, 6_000]);
        let to = (at + dice.millis(60..longest)).min(CALM);
        spell(dice, at, to);
        at = to + dice.millis(100..2 * pause);
    }
}
