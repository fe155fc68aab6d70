//! `extract`: what the extractor sees in a page.

use super::flags::Flags;
use super::out;
use crate::Outcome;
use std::path::Path;
use tidemill_pipeline::clock::{Clock, SystemClock};
use tidemill_pipeline::{Error, Result, ResultExt};
use tidemill_stages::extract::{Document, article};
use tidemill_stages::fetch::get_once;
use url::Url;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file, or a http(s) address
    page: String,
    /// The address that a file was saved from
    #[arg(long, value_name = "BASE")]
    url: Option<Url>,
}

pub(super) async fn run(flags: &Flags, args: &Args) -> Result<Outcome> {
    let (body, content_type, url) =
        if args.page.starts_with("http://") || args.page.starts_with("https://") {
            let url =
                Url::parse(&args.page).or_park().doing(format!("`{}` is no address", args.page))?;
            get_once(&url, SystemClock.now()).await?
        } else {
            let body = std::fs::read(&args.page)
                .or_halt()
                .doing(format!("cannot read {}", args.page))
                .map_err(|e| e.help("name a file that is there, or an address with http(s)://"))?;
            let path = std::path::absolute(Path::new(&args.page))?;
            let file = Url::from_file_path(path).ok();
            let url = args.url.clone().or(file).ok_or_else(|| {
                Error::halt("the file has no address").help("give one with --url")
            })?;
            (body, None, url)
        };
    let document =
        tokio::task::spawn_blocking(move || article(&body, content_type.as_deref(), &url))
            .await??;
    print(flags, &document);
    out::json(flags, &document)?;
    Ok(Outcome::Done)
}

fn print(flags: &Flags, document: &Document) {
    let some = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".into());
    let lines = [
        format!("title     {}", out::plain(&document.title)),
        format!("url       {}", document.url),
        format!("language  {}", out::plain(&some(&document.language))),
        format!("published {}", some(&document.published)),
        format!("author    {}", out::plain(&some(&document.author))),
        format!(
            "method    {} · score {:.2} · {} words",
            document.method, document.score, document.words
        ),
        String::new(),
        out::plain(&document.markdown),
    ];
    for line in lines {
        out::result(flags, line);
    }
}
