//! Time and ids are injected: a test decides what the time is and which names are generated.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

/// The server's source of wall-clock time.
///
/// ```
/// use kubewire_server_stub::generic::clock::Clock;
///
/// let noon: jiff::Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
/// assert_eq!(Clock::fixed(noon).now(), noon);
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The computer's clock.
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that stands still.
    pub fn fixed(now: Timestamp) -> Self {
        Self::from_fn(move || now)
    }

    /// A clock that asks `now` each time.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// The server's source of uids and generated names.
#[derive(Clone)]
pub struct Ids(Arc<dyn Fn() -> u128 + Send + Sync>);

/// The letters of generated names: no vowels, so that no words come out.
const ALPHABET: [char; 27] = [
    'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'z', '2', '4', '5',
    '6', '7', '8', '9',
];

impl Ids {
    /// Random ids.
    pub fn random() -> Self {
        Self::from_fn(|| Uuid::new_v4().as_u128())
    }

    /// Ids made from 128 bits that `next` gives each time.
    pub fn from_fn(next: impl Fn() -> u128 + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }

    /// A uid in the form of a version 4 UUID.
    pub fn uid(&self) -> String {
        uuid::Builder::from_random_bytes((self.0)().to_be_bytes())
            .into_uuid()
            .to_string()
    }

    /// A number from 0 up to, but not including, 1, all equally likely.
    pub fn fraction(&self) -> f64 {
        let bits = u32::try_from((self.0)() & 0xffff_ffff).unwrap_or_default();
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    /// The five letters that `generateName` is followed by.
    pub fn name_suffix(&self) -> String {
        // The low bits: the version and variant bits of a UUID are higher up.
        let mut bits = (self.0)() & 0xffff_ffff_ffff;
        let mut letter = || {
            let index = usize::try_from(bits % 27).unwrap_or_default();
            bits /= 27;
            ALPHABET.get(index).copied().unwrap_or('x')
        };
        (0..5).map(|_| letter()).collect()
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::random()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_their_source() {
        let ids = Ids::from_fn(|| 27 * 2 + 1);
        assert_eq!(ids.uid(), "00000000-0000-4000-8000-000000000037");
        assert_eq!(ids.name_suffix(), "cdbbb");
        assert_ne!(Ids::random().uid(), Ids::random().uid());
        assert_ne!(Ids::random().name_suffix(), Ids::random().name_suffix());
    }
}
