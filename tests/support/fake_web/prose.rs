//! Articles out of a seed: plain sentences, many different words, the same on every machine.

const THINGS: &str = "\
    anchors archives bakers barges beacons bells boats bridges carpenters carts cellars \
    chandlers channels clocks currents docks farmers ferries fishermen floods gardens \
    gates gulls harbours herons islands keepers kilns ladders lanterns ledgers \
    lighthouses maps markets marshes masons meadows millers millstones neighbours nets \
    orchards painters pilots ponds porters printers quarries ropes sailors salters \
    scales sheds sluices storms tides towers travellers villages warehouses weavers \
    wheels";
const QUALITIES: &str = "\
    ancient bright broad careful clever cold copper crooked distant eager early empty \
    faithful famous gentle golden grey heavy hidden honest hollow lonely modest narrow \
    northern patient pale quiet restless rusty salted shallow silent slender southern \
    steady stubborn tired wooden young";
const ACTIONS: &str = "\
    answer borrow build carry choose count cover cross describe draw examine feed find \
    follow guard guide honour inspect know leave lift mend measure name observe paint \
    praise protect reach recall remember repair replace respect restore study support \
    surround trust watch weigh welcome";
const MANNERS: &str =
    "calmly daily gladly hourly nightly often rarely seldom slowly twice weekly yearly";
const PLACES: &str =
    "above across against along behind below beneath beside beyond near past within";

const PARAGRAPHS: usize = 7;
const SENTENCES: usize = 5;

/// A title and paragraphs; the same seed gives the same words.
pub(super) struct Prose {
    pub(super) title: String,
    pub(super) paragraphs: Vec<String>,
}

impl Prose {
    pub(super) fn seeded(seed: u64) -> Self {
        let mut voice = Voice::new(seed);
        let title = capitalised(&format!(
            "{} {} {} the {}",
            voice.qualities.draw(),
            voice.things.draw(),
            voice.places.draw(),
            voice.things.draw()
        ));
        let paragraphs = (0..PARAGRAPHS).map(|_| voice.paragraph()).collect();
        Prose { title, paragraphs }
    }
}

struct Voice {
    things: Deck,
    qualities: Deck,
    actions: Deck,
    manners: Deck,
    places: Deck,
}

impl Voice {
    fn new(seed: u64) -> Self {
        let deck =
            |salt: u64, words: &'static str| Deck::shuffled(seed.wrapping_mul(31) + salt, words);
        Voice {
            things: deck(1, THINGS),
            qualities: deck(2, QUALITIES),
            actions: deck(3, ACTIONS),
            manners: deck(4, MANNERS),
            places: deck(5, PLACES),
        }
    }

    fn paragraph(&mut self) -> String {
        let sentences: Vec<String> = (0..SENTENCES).map(|form| self.sentence(form)).collect();
        sentences.join(" ")
    }

    fn sentence(&mut self, form: usize) -> String {
        let Voice { things, qualities, actions, manners, places } = self;
        let (who, what, like) = (things.draw(), things.draw(), qualities.draw());
        let (act, how) = (actions.draw(), manners.draw());
        match form % 3 {
            0 => {
                let (place, by, seen) = (places.draw(), things.draw(), qualities.draw());
                capitalised(&format!("{like} {who} {act} the {what} {place} the {seen} {by}."))
            }
            1 => {
                let (others, then) = (things.draw(), actions.draw());
                format!("When the {who} {act} the {like} {what}, the {others} {then} them {how}.")
            }
            _ => {
                let more = things.draw();
                format!("It is {how} that the {like} {who} {act} both the {what} and the {more}.")
            }
        }
    }
}

/// Words drawn in a shuffled order; none comes again before all have come.
struct Deck {
    words: Vec<&'static str>,
    next: usize,
}

impl Deck {
    fn shuffled(mut seed: u64, words: &'static str) -> Self {
        let mut words: Vec<&str> = words.split_whitespace().collect();
        for last in (1..words.len()).rev() {
            let other = (splitmix(&mut seed) % (last as u64 + 1)) as usize;
            words.swap(last, other);
        }
        Deck { words, next: 0 }
    }

    fn draw(&mut self) -> &'static str {
        let word = self.words[self.next % self.words.len()];
        self.next += 1;
        word
    }
}

/// SplitMix64, the small generator of Steele, Lea and Flood.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}
