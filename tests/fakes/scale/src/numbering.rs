//! Ids that look like no sequence, and from which the number can be computed again.

/// A one-to-one map of the numbers below `modulus` onto themselves: `n * factor + offset`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbering {
    modulus: u64,
    factor: u64,
    inverse: u64,
    offset: u64,
}

impl Numbering {
    /// `factor` must have no divisor in common with `modulus`.
    pub(crate) fn new(modulus: u64, factor: u64, seed: u64) -> Self {
        let offset = hash(&["numbering", &seed.to_string()]) % modulus;
        Self { modulus, factor: factor % modulus, inverse: inverse(factor % modulus, modulus), offset }
    }

    pub(crate) fn encode(&self, number: u64) -> u64 {
        (times(number % self.modulus, self.factor, self.modulus) + self.offset) % self.modulus
    }

    pub(crate) fn decode(&self, id: u64) -> u64 {
        times((id % self.modulus + self.modulus - self.offset) % self.modulus, self.inverse, self.modulus)
    }
}

/// The first eight bytes of the SHA-256 of these words.
pub(crate) fn hash(words: &[&str]) -> u64 {
    let digest = digest(words);
    digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// So many hex digits of the SHA-256 of these words, at most 64.
pub(crate) fn digits(words: &[&str], length: usize) -> String {
    hex::encode(digest(words)).chars().take(length).collect()
}

fn digest(words: &[&str]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(words.join("\n").as_bytes()).to_vec()
}

fn times(a: u64, b: u64, modulus: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) % u128::from(modulus)).unwrap_or_default()
}

/// By the extended Euclidean algorithm.
fn inverse(factor: u64, modulus: u64) -> u64 {
    let (mut old, mut new) = ((i128::from(factor), 1_i128), (i128::from(modulus), 0_i128));
    while new.0 != 0 {
        let quotient = old.0 / new.0;
        (old, new) = (new, (old.0 - quotient * new.0, old.1 - quotient * new.1));
    }
    u64::try_from(old.1.rem_euclid(i128::from(modulus))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_from_its_id_and_no_two_share_one() {
        for (modulus, factor) in [(900_000_000_000, 7_777_777_777), (36_u64.pow(8), 1_234_567_891)] {
            let numbering = Numbering::new(modulus, factor, 42);
            let ids: std::collections::BTreeSet<u64> = (0..20_000).map(|n| numbering.encode(n)).collect();
            assert_eq!(ids.len(), 20_000);
            assert!((0..20_000).all(|n| numbering.decode(numbering.encode(n)) == n));
        }
    }
}
