//! Names for accounts that users can distinguish and say aloud: `gmail_red-castle`.

const ADJECTIVES: &[&str] = &[
    "amber", "brave", "bright", "calm", "clear", "clever", "copper", "coral", "crisp", "eager", "early",
    "fair", "fresh", "gentle", "glad", "golden", "grand", "green", "happy", "honest", "ivory", "jolly",
    "keen", "kind", "light", "lively", "lucky", "mellow", "merry", "mild", "neat", "noble", "olive", "pearl",
    "plain", "proud", "quick", "quiet", "rapid", "red", "ready", "royal", "ruby", "sandy", "sharp", "silver",
    "smooth", "snowy", "solid", "sunny", "swift", "tidy", "topaz", "true", "upper", "vivid", "warm", "wide",
    "wild", "wise", "witty", "young", "zesty", "blue",
];

const NOUNS: &[&str] = &[
    "anchor", "apple", "arrow", "badge", "basin", "beacon", "birch", "bridge", "brook", "canyon", "castle",
    "cedar", "cliff", "cloud", "comet", "cove", "creek", "delta", "dune", "eagle", "ember", "falcon", "fern",
    "field", "forest", "garden", "glacier", "grove", "harbor", "hazel", "heron", "hill", "island", "lagoon",
    "lake", "lantern", "maple", "meadow", "mill", "moon", "oak", "orchard", "otter", "pebble", "pine",
    "planet", "pond", "prairie", "quarry", "reef", "ridge", "river", "robin", "sail", "shore", "spruce",
    "star", "stone", "summit", "tide", "tower", "valley", "willow", "wren",
];

/// A name for an account of a toolkit. With a positive `attempt`, the name gets a number, because the short
/// one is taken.
pub(crate) fn random(toolkit: &str, attempt: u32) -> String {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has a random number generator");
    let adjective = ADJECTIVES[usize::from(bytes[0]) % ADJECTIVES.len()];
    let noun = NOUNS[usize::from(bytes[1]) % NOUNS.len()];
    let number = u16::from_le_bytes([bytes[2], bytes[3]]);
    if attempt == 0 {
        format!("{toolkit}_{adjective}-{noun}")
    } else {
        format!("{toolkit}_{adjective}-{noun}-{number}")
    }
}
