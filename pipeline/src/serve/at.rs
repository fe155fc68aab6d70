//! A run for a day that was missed: by hand, but in the name of the time it was meant for.

use crate::clock::{Firing, Nominal, Timing};
use crate::ledger::{FiringRow, Read, ScheduleRow, firings};
use crate::mill::{Home, Planned};
use crate::run::{RunOptions, RunReport};
use crate::{Error, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use std::sync::Arc;

/// So many times of a schedule are looked at.
const FEW: usize = 5;

impl Home {
    /// Runs a job for a day (`2026-11-18`) or a time (`2026-11-18T06:00`) that was missed: its files
    /// are filed under that day. With a schedule it must be one of its times. An unfinished run comes
    /// first.
    ///
    /// # Errors
    /// When it is none of the schedule's times, lies in the future, or has its run already; and as
    /// [`run`](Home::run).
    pub async fn run_at(
        self: &Arc<Self>,
        planned: &Planned,
        at: &str,
        options: RunOptions,
    ) -> Result<RunReport> {
        self.check_owner()?;
        let name = planned.job.name().to_string();
        let row = self.ledger().read(move |read| ScheduleRow::of(read, &name)).await?;
        let now = self.clock().now();
        let firing = self.meant(at, planned, row.as_ref(), now)?;
        let firing_no = self.claim(planned.job.name(), row.as_ref(), firing, now).await?;
        let wanted = firing.scheduled_for.to_string();
        let options =
            RunOptions { scheduled_for: Some(firing.scheduled_for), firing: firing_no, ..options };
        let result = loop {
            let ran = self.run(&planned.job, options.clone()).await;
            match ran {
                Ok(report) if report.resumed && report.scheduled_for != wanted => {}
                ran => break ran,
            }
        };
        let outcome = match &result {
            Ok(_) => "published".to_string(),
            // The same command, or the next server, goes on with it.
            Err(error) if matches!(error.reason(), "interrupted" | "has_its_run") => return result,
            Err(error) => error.to_string(),
        };
        if let Some(no) = firing_no {
            let now = self.clock().now().timestamp_millis();
            self.ledger().commit(move |tx| firings::end(tx, no, now, &outcome)).await?;
        }
        result
    }

    /// The time that is meant.
    fn meant(
        &self,
        at: &str,
        planned: &Planned,
        row: Option<&ScheduleRow>,
        now: DateTime<Utc>,
    ) -> Result<Firing> {
        let wish = Wish::read(at)?;
        let anchor = row.and_then(|row| DateTime::from_timestamp_millis(row.anchor));
        let timing = row.map(|row| &row.timing).or(planned.timing.as_ref());
        let timed = timing
            .filter(|timing| timing.schedule.upstream().is_none() && !timing.schedule.is_startup());
        let firing = match timed {
            Some(timing) => wish.among(timing, anchor.unwrap_or(now))?,
            None => wish.plain(self)?,
        };
        if firing.fire_at > now {
            return Err(Error::halt(format!("{} is not over yet", firing.scheduled_for))
                .because("usage")
                .help("--at is for times that are past; `run` without it runs now"));
        }
        Ok(firing)
    }

    /// Refuses a time that has its run, and notes that this one gets it now.
    async fn claim(
        &self,
        pipeline: &str,
        row: Option<&ScheduleRow>,
        firing: Firing,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>> {
        let (name, schedule) = (pipeline.to_string(), row.map(|row| row.no));
        let wanted = firing.scheduled_for.to_string();
        self.ledger()
            .transaction(move |tx| {
                if let Some(run) = published(tx, &name, &wanted)? {
                    return Err(Error::halt(format!("{wanted} has its run: {run}"))
                        .because("usage")
                        .help("`run` without --at runs now; `rollback` takes a run back"));
                }
                let known = FiringRow::at(tx, &name, &wanted)?;
                if let Some(open) = known.filter(FiringRow::is_open) {
                    return Ok(Some(open.no));
                }
                let (at, now) = (firing.fire_at.timestamp_millis(), now.timestamp_millis());
                schedule.map(|no| firings::by_hand(tx, no, &wanted, at, now)).transpose()
            })
            .await
    }
}

fn published(read: &Read<'_>, pipeline: &str, scheduled_for: &str) -> Result<Option<String>> {
    let sql = "SELECT r.id FROM tm_runs r JOIN tm_pipelines p USING (pipeline_no)
                WHERE p.name = ?1 AND r.scheduled_for = ?2 AND r.state IN ('published', 'finished')
                ORDER BY r.run_no DESC LIMIT 1";
    read.one(sql, [pipeline, scheduled_for], |row| row.get(0))
}

/// What a person wrote.
#[derive(Clone, Copy)]
enum Wish {
    Day(NaiveDate),
    Time(NaiveDateTime),
}

impl Wish {
    fn read(text: &str) -> Result<Self> {
        let time = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"];
        if let Ok(day) = text.parse() {
            return Ok(Wish::Day(day));
        }
        let time = time.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        time.map(Wish::Time).ok_or_else(|| {
            Error::halt(format!("`{text}` is no day"))
                .because("usage")
                .help("write it as 2026-11-18, or with a time as 2026-11-18T06:00")
        })
    }

    /// Of a day its beginning.
    fn begin(self) -> NaiveDateTime {
        match self {
            Wish::Day(day) => day.and_time(NaiveTime::MIN),
            Wish::Time(time) => time,
        }
    }

    /// The time of a schedule that it means: of a day the first.
    fn among(self, timing: &Timing, anchor: DateTime<Utc>) -> Result<Firing> {
        let mut at = timing.zone.instant(self.begin()).unwrap_or_default() - TimeDelta::seconds(1);
        let mut others = Vec::new();
        // A few are enough: the wanted one is the first, or the second pass of an overlap.
        for _ in 0..FEW {
            let Some(firing) = timing.schedule.next(at, timing.zone, anchor) else { break };
            at = firing.fire_at;
            let wanted = match self {
                Wish::Day(day) => firing.scheduled_for.date() == day,
                Wish::Time(time) => firing.scheduled_for.local == time,
            };
            if wanted {
                return Ok(firing);
            }
            others.push(firing.scheduled_for.to_string());
        }
        let help = match others.first() {
            Some(next) => format!(
                "its next time is {next}; `schedule next --after {}` lists them",
                self.text()
            ),
            None => format!("`{}` has no time then", timing.schedule.text()),
        };
        Err(Error::halt(format!("`{}` is no time of this schedule", self.text()))
            .because("usage")
            .help(help))
    }

    /// Without a schedule any time will do: of a day its beginning.
    fn plain(self, home: &Home) -> Result<Firing> {
        let local = self.begin();
        let fire_at = home.zone().instant(local).ok_or_else(|| {
            Error::halt(format!("`{}` is no time in {}", self.text(), home.zone().name()))
                .because("usage")
        })?;
        Ok(Firing { scheduled_for: Nominal { local, offset: None }, fire_at })
    }

    fn text(self) -> String {
        match self {
            Wish::Day(day) => day.to_string(),
            Wish::Time(time) => time.format("%Y-%m-%dT%H:%M").to_string(),
        }
    }
}
