//! The letter box: how other programs ask the owner of a home, and how they follow what it does.

use super::orders::Order;
use super::server::Server;
use super::work::guarded;
use crate::clock::Clock;
use crate::ledger::RunRow;
use crate::ledger::requests::{self, Asked, Reply, Request};
use crate::mill::Home;
use crate::mill::lock::Lock;
use crate::{Error, Result};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::task::JoinSet;

/// How often an owner looks for orders.
const LOOK: Duration = Duration::from_millis(500);

/// How often who gave an order looks for the answer.
const ASK: Duration = Duration::from_millis(200);

/// Every so many looks the letter box is opened though nobody seems to have written.
const SURE: u64 = 10;

/// Who ends waits so long for orders in hand to be answered, in looks.
const LOOKS: u32 = 100;

impl Home {
    /// Carries out what other programs ask for, until it is dropped. Without a server, orders to run
    /// something are refused.
    pub async fn attend(self: Arc<Self>, server: Option<Arc<Server>>) {
        let mut hands = JoinSet::new();
        let mut seen = None;
        for look in 0_u64.. {
            tokio::time::sleep(LOOK).await;
            while hands.try_join_next().is_some() {}
            if server.as_ref().is_some_and(|server| server.is_ending()) {
                continue; // who asks now finds the home free soon
            }
            // The file's time is coarse: now and then the letter box is opened all the same.
            let log = self.ledger().log();
            if log.is_some() && log == seen && !look.is_multiple_of(SURE) {
                continue;
            }
            seen = log;
            if let Err(error) = self.take_orders(server.as_ref(), &mut hands).await {
                tracing::warn!(%error, "an order could not be looked at");
                self.mend_when_idle();
            }
        }
    }

    async fn take_orders(
        self: &Arc<Self>,
        server: Option<&Arc<Server>>,
        hands: &mut JoinSet<()>,
    ) -> Result<()> {
        while self.ledger().read(requests::any).await? {
            let now = self.clock().now().timestamp_millis();
            let Some(request) = self.ledger().commit(move |tx| requests::take(tx, now)).await?
            else {
                return Ok(());
            };
            let (home, server) = (Arc::clone(self), server.cloned());
            let working = server.clone();
            let work = async move {
                let no = request.no;
                let answer = guarded(home.fulfil(request, server)).await;
                let now = home.clock().now().timestamp_millis();
                let written =
                    home.ledger().commit(move |tx| requests::answer(tx, no, &answer, now)).await;
                if let Err(error) = written {
                    tracing::warn!(%error, "the answer to an order could not be written");
                }
            };
            match working {
                // A server waits at its end for what it has in hand.
                Some(server) => server.workers.spawn(work),
                None => {
                    hands.spawn(work);
                }
            }
        }
        Ok(())
    }

    async fn fulfil(
        self: &Arc<Self>,
        request: Request,
        server: Option<Arc<Server>>,
    ) -> Result<Value> {
        let order = serde_json::from_value::<Order>(request.body).map_err(|e| {
            Error::halt(format!("`{}` is no order this program knows", request.verb))
                .because("usage")
                .caused_by(e)
                .help("use the same version of tidemill on both sides")
        })?;
        tracing::info!(verb = request.verb, "carries out an order");
        if let (Order::Remember { job, .. }, Some(server)) = (&order, &server) {
            server.with.roster.check_free(&job.pipeline)?;
        }
        let (Order::Run(_) | Order::Replay(_), Some(server)) = (&order, server) else {
            return self.carry_out(order).await;
        };
        let (home, no) = (Arc::clone(self), request.no);
        let told = move |run: &str| {
            let (home, run) = (Arc::clone(&home), run.to_string());
            tokio::spawn(async move {
                let noted = home.ledger().commit(move |tx| requests::note(tx, no, &run)).await;
                if let Err(error) = noted {
                    tracing::warn!(%error, "who gave the order cannot follow it");
                }
            });
        };
        let report = match order {
            Order::Run(run) => Some(server.run_order(run, told).await?),
            Order::Replay(replay) if server.serves.load(Relaxed) => {
                server.replay_order(replay, told).await?
            }
            other => return self.carry_out(other).await,
        };
        Ok(serde_json::to_value(report)?)
    }

    /// Who gave an order that was taken waits for its answer: it is brought to its end first.
    pub async fn answered(&self) {
        for _ in 0..LOOKS {
            if !matches!(self.ledger().read(requests::in_hand).await, Ok(true)) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Gives an order to the program that owns a home, and waits for its answer. `None` when the owner
/// has not looked at it within `patience`; then the order is withdrawn. Meanwhile `follow` is shown,
/// every now and then, the run that is at work for it, or that there is none yet.
///
/// # Errors
/// With the owner's error, or that of the ledger.
pub async fn give(
    home: &Path,
    order: &Order,
    clock: &dyn Clock,
    patience: Duration,
    mut follow: impl FnMut(Option<&RunRow>),
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
            Reply::Taken => follow(asked.run()?.as_ref()),
            Reply::Unseen => {}
        }
        tokio::time::sleep(ASK).await;
        waited += ASK;
    }
}
