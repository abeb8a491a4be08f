//! What is done in a run.

use std::{io, sync::Arc};

use respond_async_torture::checker::Report;

use crate::{options::Scenario, world::World};

mod kill;
mod outage;
mod rolling;
mod storm;

pub(crate) async fn run(world: &Arc<World>) -> io::Result<Report> {
    match world.options.scenario {
        Scenario::Kill => kill::run(world).await,
        Scenario::Outage => outage::run(world).await,
        Scenario::Rolling | Scenario::Upgrade => rolling::run(world).await,
        Scenario::Storm => storm::run(world).await,
    }
}
