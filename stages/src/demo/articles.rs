//! The twelve articles of the bundled newspaper, newest first, each with its fragment of HTML.

/// One article. Times are left out on purpose: every article appears at 06:00 UTC of its date.
#[derive(Debug)]
pub(super) struct Article {
    /// The last part of its address.
    pub(super) slug: &'static str,
    /// The headline, as plain text.
    pub(super) title: &'static str,
    /// Who wrote it.
    pub(super) author: &'static str,
    /// The day it appeared, `YYYY-MM-DD`.
    pub(super) date: &'static str,
    /// The language it is written in, ISO 639-1.
    pub(super) lang: &'static str,
    /// One sentence for the front page and the feed.
    pub(super) lead: &'static str,
    /// The text, as HTML.
    pub(super) body: &'static str,
}

/// All articles, newest first.
pub(super) const ARTICLES: [Article; 12] = [
    Article {
        slug: "tide-mills",
        title: "The Mill That Waits for the Moon",
        author: "Ada Marrow",
        date: "2026-11-16",
        lang: "en",
        lead: "A pond, a gate and patience: how a mill runs on the sea, and why its miller slept so badly.",
        body: include_str!("site/tide-mills.html"),
    },
    Article {
        slug: "tides",
        title: "Why High Water Is Late Again",
        author: "Jonas Pell",
        date: "2026-11-12",
        lang: "en",
        lead: "The tide comes fifty minutes later each day; a short account of springs, neaps and twelfths.",
        body: include_str!("site/tides.html"),
    },
    Article {
        slug: "bread",
        title: "Brot braucht Zeit",
        author: "Wilhelmine Brandt",
        date: "2026-11-09",
        lang: "de",
        lead: "Eine Nacht in der Backstube am Hafen, und was der Sauerteig mit Vorsorge zu tun hat.",
        body: include_str!("site/bread.html"),
    },
    Article {
        slug: "archives",
        title: "Three Questions on a Card",
        author: "Ines Corvo",
        date: "2026-11-05",
        lang: "en",
        lead: "What the county archive asks about every box, and why a copy that was never read is only a hope.",
        body: include_str!("site/archives.html"),
    },
    Article {
        slug: "lighthouses",
        title: "Every Light Has a Character",
        author: "Jonas Pell",
        date: "2026-10-30",
        lang: "en",
        lead: "Flashing, occulting, quick: how a lamp says which headland it stands on, and how far it is seen.",
        body: include_str!("site/lighthouses.html"),
    },
    Article {
        slug: "salt",
        title: "Le sel, récolte du vent et du soleil",
        author: "Claire Aubry",
        date: "2026-10-26",
        lang: "fr",
        lead: "Dans les marais salants, l’eau, l’argile et la patience font encore le métier.",
        body: include_str!("site/salt.html"),
    },
    Article {
        slug: "storms",
        title: "The Man Who Asked the Telegraph About the Wind",
        author: "Ada Marrow",
        date: "2026-10-21",
        lang: "en",
        lead: "After the Royal Charter gale, Robert FitzRoy began to print an opinion and called it a forecast.",
        body: include_str!("site/storms.html"),
    },
    Article {
        slug: "harbour-clocks",
        title: "The Ball That Drops at One",
        author: "Ines Corvo",
        date: "2026-10-14",
        lang: "en",
        lead: "A ship did not need a clock that was right. It needed one whose error was written down.",
        body: include_str!("site/harbour-clocks.html"),
    },
    Article {
        slug: "maps",
        title: "What the Map Keeps True",
        author: "Jonas Pell",
        date: "2026-10-08",
        lang: "en",
        lead: "Every flat map gives something up; here is what, and how to measure without one.",
        body: include_str!("site/maps.html"),
    },
    Article {
        slug: "paper",
        title: "Rags, Wood & Chalk",
        author: "Ada Marrow",
        date: "2026-09-29",
        lang: "en",
        lead: "Why a book of 1590 outlives a book of 1890, and what a sheet of A4 weighs.",
        body: include_str!("site/paper.html"),
    },
    Article {
        slug: "bees",
        title: "A Dance in the Dark",
        author: "Ines Corvo",
        date: "2026-09-22",
        lang: "en",
        lead: "How a bee tells the way to a lime tree, and how ten thousand of them choose a house.",
        body: include_str!("site/bees.html"),
    },
    Article {
        slug: "bridges",
        title: "Break Step",
        author: "Jonas Pell",
        date: "2026-09-15",
        lang: "en",
        lead: "Bridges move; the art is to say beforehand where.",
        body: include_str!("site/bridges.html"),
    },
];
