//! Whether the weights fit, known from the headers before any of them is allocated.

use std::fs;

use super::checkpoint::Arithmetic;
use super::header::Header;
use super::load::LoadError;

/// Where Linux says how much memory there is.
const MEMORY_FILE: &str = "/proc/meminfo";

/// Compares what the weights take with what the machine has left, where it says so.
///
/// # Errors
/// [`LoadError::Memory`].
pub(super) fn check(header: &Header, arithmetic: Arithmetic) -> Result<(), LoadError> {
    let needed = header.n_bytes_loaded(arithmetic);
    let available = fs::read_to_string(MEMORY_FILE).ok().as_deref().and_then(available);
    match available.filter(|&available| needed > available) {
        Some(available) => {
            let fast = header.n_bytes_loaded(Arithmetic::Fast);
            Err(LoadError::Memory { needed, available, fast: Some(fast).filter(|&fast| fast < needed) })
        }
        None => Ok(()),
    }
}

/// Bytes that can be allocated without swapping.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_where_the_machine_says_so() {
        let file = "MemTotal:       24683144 kB\nMemFree:        17760000 kB\nMemAvailable:   23477120 kB\n";
        assert_eq!(available(file), Some(23_477_120 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert_eq!(available("MemAvailable: much\n"), None);
    }
}
