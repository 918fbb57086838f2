//! Whether the weights fit, known from the headers before any of them is allocated, and how they are held so that they
//! do.

use std::fmt;
use std::fs;

use super::LoadOptions;
use super::checkpoint::Arithmetic;
use super::header::Header;
use super::load::LoadError;

/// Where Linux says how much memory there is.
const MEMORY_FILE: &str = "/proc/meminfo";

/// The memory that weights may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// So many bytes are free.
    Free(u64),
    /// So many bytes were allowed.
    Allowed(u64),
}

impl Budget {
    /// Bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Free(bytes) | Self::Allowed(bytes) => bytes,
        }
    }

    /// The smaller of what was allowed and what the machine says is free.
    fn now(allowed: Option<u64>) -> Option<Self> {
        let free = fs::read_to_string(MEMORY_FILE).ok().as_deref().and_then(available).map(Self::Free);
        allowed.map(Self::Allowed).into_iter().chain(free).min_by_key(|budget| budget.bytes())
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free(bytes) => write!(f, "{} MiB are available", bytes >> 20),
            Self::Allowed(bytes) => write!(f, "--max-memory allows {} MiB", bytes >> 20),
        }
    }
}

/// What weights take in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Bytes as they were asked for.
    pub asked: u64,
    /// Bytes if quantised ones are dequantised on demand, where those are fewer.
    pub on_demand: Option<u64>,
    /// Bytes with fast arithmetic, where those are fewer.
    pub fast: Option<u64>,
}

/// What is done with quantised weights so that they fit: what was asked for, or, where that is exact and does not fit,
/// the same on demand.
///
/// # Errors
/// [`LoadError::Memory`] if neither fits.
pub fn plan(header: &Header, options: LoadOptions) -> Result<Arithmetic, LoadError> {
    choose(header, options, Budget::now(options.max_memory))
}

fn choose(header: &Header, options: LoadOptions, budget: Option<Budget>) -> Result<Arithmetic, LoadError> {
    let arithmetic = options.arithmetic;
    let needed = |arithmetic| header.n_bytes_loaded(arithmetic, options.dtype);
    let asked = needed(arithmetic);
    // where nothing is quantised there is nothing to be done with it
    let arithmetic =
        if arithmetic == Arithmetic::Fast && !header.has_fast_products() { Arithmetic::Exact } else { arithmetic };
    let Some(budget) = budget.filter(|budget| asked > budget.bytes()) else { return Ok(arithmetic) };
    let fewer = |other| Some(needed(other)).filter(|&bytes| bytes < asked);
    let on_demand = fewer(Arithmetic::OnDemand).filter(|_| arithmetic == Arithmetic::Exact);
    match on_demand {
        Some(bytes) if bytes <= budget.bytes() => Ok(Arithmetic::OnDemand),
        _ => {
            let needs = Needs { asked, on_demand, fast: fewer(Arithmetic::Fast) };
            Err(LoadError::Memory { needs, budget })
        }
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

    #[test]
    fn budgets_say_where_they_come_from() {
        assert_eq!(Budget::Free(3 << 20).to_string(), "3 MiB are available");
        assert_eq!(Budget::Allowed(3 << 20).to_string(), "--max-memory allows 3 MiB");
        assert_eq!(Budget::now(Some(0)), Some(Budget::Allowed(0)));
    }
}
