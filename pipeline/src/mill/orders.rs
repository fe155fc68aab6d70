//! Orders: what may be asked of the program that owns a home, by itself or from another terminal.

use super::home::Home;
use super::lock::Lock;
use crate::clock::Clock;
use crate::ledger::requests::{self, Asked, Reply};
use crate::ledger::{ParkedFilter, ParkedItem, RunRow, parked, undo};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often an owner looks for orders, and how often who gave one looks for the answer.
const LOOK: Duration = Duration::from_millis(300);

/// Something that changes the mill and is done by its owner.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Take parked items off the list, to be tried again by the next run.
    RetryParked(ParkedFilter),
    /// Take parked items off the list for good.
    DropParked(ParkedFilter),
    /// Take a published run back.
    Rollback {
        /// The run's id.
        run: String,
    },
}

impl Home {
    /// Carries an order out, and says what was done.
    ///
    /// # Errors
    /// When it cannot be done; then nothing was.
    pub async fn carry_out(self: &Arc<Self>, order: Order) -> Result<Value> {
        self.check_owner()?;
        self.mend_when_idle();
        match order {
            Order::RetryParked(filter) => self.unpark(filter, parked::retry).await,
            Order::DropParked(filter) => self.unpark(filter, parked::drop).await,
            Order::Rollback { run } => self.rollback(&run).await,
        }
    }

    async fn unpark(
        &self,
        filter: ParkedFilter,
        act: fn(&crate::ledger::Tx<'_>, &[ParkedItem]) -> Result<()>,
    ) -> Result<Value> {
        let keys = self
            .ledger()
            .transaction(move |tx| {
                let items = ParkedItem::all(tx, &filter)?;
                act(tx, &items)?;
                Ok(items.into_iter().map(|item| item.key).collect::<Vec<_>>())
            })
            .await?;
        Ok(json!({ "count": keys.len(), "keys": keys }))
    }

    async fn rollback(self: &Arc<Self>, run: &str) -> Result<Value> {
        let id = run.to_string();
        let found = self.ledger().read(move |read| RunRow::by_id(read, &id)).await?;
        let _at_work = match &found {
            Some(run) => Some(self.turn_now(&run.pipeline).ok_or_else(|| {
                Error::halt(format!("a run of {} is at work", run.pipeline))
                    .because("at_work")
                    .help("wait until it is done, then take the other one back")
            })?),
            None => None,
        };
        let (id, now) = (run.to_string(), self.clock().now().timestamp_millis());
        let done = self.ledger().transaction(move |tx| undo::rollback(tx, &id, now)).await?;
        Ok(serde_json::to_value(done)?)
    }

    /// Carries out what other programs ask for, until it is dropped.
    pub async fn attend(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.attend_once().await {
                tracing::warn!(%error, "an order could not be looked at");
            }
        }
    }

    async fn attend_once(self: &Arc<Self>) -> Result<()> {
        while self.ledger().read(requests::any).await? {
            let now = self.clock().now().timestamp_millis();
            let Some(request) = self.ledger().commit(move |tx| requests::take(tx, now)).await?
            else {
                return Ok(());
            };
            let answer = match serde_json::from_value::<Order>(request.body) {
                Ok(order) => self.carry_out(order).await,
                Err(e) => {
                    Err(Error::halt(format!("`{}` is no order this program knows", request.verb))
                        .because("usage")
                        .caused_by(e)
                        .help("use the same version of tidemill on both sides"))
                }
            };
            let now = self.clock().now().timestamp_millis();
            self.ledger().commit(move |tx| requests::answer(tx, request.no, &answer, now)).await?;
        }
        Ok(())
    }
}

/// Gives an order to the program that owns a home, and waits for its answer. `None` when the owner
/// has not looked at it within `patience`; then the order is withdrawn.
///
/// # Errors
/// With the owner's error, or that of the ledger.
pub async fn give(
    home: &Path,
    order: &Order,
    clock: &dyn Clock,
    patience: Duration,
) -> Result<Option<Value>> {
    let body = serde_json::to_value(order)?;
    let verb = body.as_object().and_then(|o| o.keys().next().cloned()).unwrap_or_default();
    let now = clock.now().timestamp_millis();
    let ledger = home.join("tidemill.db");
    let asked = Asked::of(&ledger, &verb, &body, now)?;
    let mut waited = Duration::ZERO;
    loop {
        match asked.reply()? {
            Reply::Done(answer) => return Ok(Some(answer)),
            Reply::Failed(error) => return Err(error),
            Reply::Unseen if waited >= patience && asked.withdraw()? => return Ok(None),
            // Who can have the lock is alone: the owner ended with the order in its hands.
            Reply::Taken if Lock::take(home).is_ok() && matches!(asked.reply()?, Reply::Taken) => {
                return Err(requests::owner_gone());
            }
            Reply::Unseen | Reply::Taken => {}
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}
