//! The way in: read the command line, set up the log, run the verb, say how it ended.

use super::flags::Flags;
use super::verbs::{MillCli, MillVerb, StockCli, StockVerb};
use super::{
    archive, dataset, demo, digest, doctor, extract, log, new, notify, out, parked, plan, prune,
    read, replay, rollback, run, runs, schedule, serve, service, status, trial, verify,
};
use crate::Outcome;
use clap::Parser;
use std::future::Future;
use tidemill_pipeline::{Error, Mill, Result};

/// The stock binary.
#[must_use]
pub fn stock() -> Outcome {
    let StockCli { flags, verb } = StockCli::parse();
    start(&flags, async {
        match verb {
            StockVerb::Demo(args) => demo::run(&flags, &args).await,
            StockVerb::Digest(args) => digest::run(&flags, &args).await,
            StockVerb::New(args) => new::run(&flags, &args),
            StockVerb::Extract(args) => extract::run(&flags, &args).await,
            StockVerb::Archive(verb) => archive::run(&flags, &verb).await,
            StockVerb::Mill(verb) => mill_verb(&flags, verb, None).await,
        }
    })
}

/// A program with pipelines of its own.
#[must_use]
pub fn of_mill(mill: Mill) -> Outcome {
    let MillCli { flags, verb } = MillCli::parse();
    start(&flags, async {
        mill.check()?;
        mill_verb(&flags, verb, Some(&mill)).await
    })
}

async fn mill_verb(flags: &Flags, verb: MillVerb, mill: Option<&Mill>) -> Result<Outcome> {
    match verb {
        MillVerb::Run(args) => run::run(flags, &args, mill).await,
        MillVerb::Replay(args) => replay::run(flags, &args, mill).await,
        MillVerb::Serve(args) => serve::run(flags, &args, mill).await,
        MillVerb::Schedule(args) => schedule::run(flags, &args, mill).await,
        MillVerb::Try(args) => trial::run(flags, &args, mill).await,
        MillVerb::Plan(args) => plan::run(flags, &args, mill).await,
        MillVerb::Status(args) => status::run(flags, &args, mill).await,
        MillVerb::Parked(args) => parked::run(flags, &args, mill).await,
        MillVerb::Runs(args) => runs::run(flags, &args, mill).await,
        MillVerb::Rollback(args) => rollback::run(flags, &args, mill).await,
        MillVerb::Prune(args) => prune::run(flags, &args, mill).await,
        MillVerb::Dataset(args) => dataset::run(flags, args, mill).await,
        MillVerb::Verify(args) => verify::run(flags, &args, mill).await,
        MillVerb::Read(args) => read::run(flags, &args, mill).await,
        MillVerb::Doctor(args) => doctor::run(flags, &args, mill).await,
        MillVerb::Notify(args) => notify::run(flags, &args, mill).await,
        MillVerb::Service(args) => service::run(flags, &args, mill),
    }
}

fn start(flags: &Flags, work: impl Future<Output = Result<Outcome>>) -> Outcome {
    log::start(flags);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::halt("the runtime cannot be started").caused_by(e));
    let result = runtime.and_then(|runtime| {
        let result = runtime.block_on(work);
        // A thread that hangs on a dead disk must not keep the program from ending.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(outcome) => outcome,
        Err(error) => {
            out::error(&error, flags);
            Outcome::of(&error)
        }
    }
}
