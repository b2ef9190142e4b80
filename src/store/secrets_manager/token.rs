//! Ids of versions: random, and still recognisable as ours.
//!
//! Rotation functions of AWS and people store versions under ids of their own. A version that was left pending by this
//! provider is continued whatever its age, one of anybody else is first left alone: so the second half of an id of ours
//! follows from the first, which is random. Both keep the form of a UUID of version 4, as the AWS SDKs make it.

use sha2::{Digest, Sha256};

/// What the derived half is derived from, besides the random half.
const PURPOSE: &[u8] = b"rdsaccess version";

/// The id that begins with these random bytes; six bits of the sixteen bytes say that it is a UUID of version 4.
pub fn of(mut random: [u8; 8]) -> String {
    random[6] = (random[6] & 0x0f) | 0x40;
    let hash = Sha256::new().chain_update(PURPOSE).chain_update(random).finalize();
    let derived = hash.iter().enumerate().take(8).map(|(at, byte)| if at == 0 { (byte & 0x3f) | 0x80 } else { *byte });
    let bytes: Vec<u8> = random.into_iter().chain(derived).collect();
    let mut text = hex::encode(bytes);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

/// Whether this provider made the id.
pub fn is_ours(id: &str) -> bool {
    let digits: String = id.chars().filter(|c| *c != '-').take(16).collect();
    let mut random = [0_u8; 8];
    hex::decode_to_slice(digits, &mut random).is_ok() && of(random) == id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_of_a_random_uuid() {
        for random in [[0; 8], [0xff; 8], [7; 8]] {
            let id = of(random);
            let lengths: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!((id.len(), lengths), (36, vec![8, 4, 4, 4, 12]), "{id}");
            assert!(id[14..].starts_with('4') && "89ab".contains(&id[19..20]), "{id}");
        }
        assert_ne!(of([1; 8]), of([2; 8]));
    }

    #[test]
    fn an_id_of_ours_is_told_from_others() {
        assert!(is_ours(&of([7; 8])));
        let other = of([7; 8]).replace("07", "08");
        for id in [
            other.as_str(),
            "",
            "-",
            "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479",
            "00000000-0000-4000-8000-000000000000",
            "terraform-20261122094500000000000001",
        ] {
            assert!(!is_ours(id), "{id}");
        }
    }
}
