//! Changing a mill: by ourselves when nobody works in its home, else by asking its owner.

use super::flags::Flags;
use super::{home, out};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tidemill_pipeline::Result;
use tidemill_pipeline::clock::SystemClock;
use tidemill_pipeline::mill::{Order, orders};

/// How long an owner may take to look at an order.
const PATIENCE: Duration = Duration::from_secs(5);

/// Carries an order out, or lets the program do it that owns the home. The home must be there.
pub(super) async fn carry_out(flags: &Flags, place: &Path, order: Order) -> Result<Value> {
    let locked = match home::own(flags, place) {
        Ok(home) => return home.carry_out(order).await,
        Err(error) if error.reason() == "home_locked" => error,
        Err(error) => return Err(error),
    };
    out::remark(flags, format!("{}; it is asked to do this", locked.message()));
    if let Some(answer) = orders::give(place, &order, &SystemClock, PATIENCE).await? {
        return Ok(answer);
    }
    // Nobody looked at it and it was withdrawn; perhaps because the owner has ended meanwhile.
    match home::own(flags, place) {
        Ok(home) => home.carry_out(order).await,
        Err(_) => Err(locked),
    }
}
