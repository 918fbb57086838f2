//! Python's `random.Random`, as far as drawing a sample needs it: the Mersenne Twister of Matsumoto and Nishimura (1998),
//! seeded and read as `CPython` does. Few-shot examples are drawn with it, so that they are those of
//! lm-evaluation-harness.

const N: usize = 624;
const M: usize = 397;

/// A generator of 32-bit numbers.
pub(super) struct Mersenne {
    state: [u32; N],
    at: usize,
}

impl Mersenne {
    /// `random.Random(seed)`.
    pub(super) fn new(seed: u64) -> Self {
        let [low, high] = [seed & 0xffff_ffff, seed >> 32].map(|half| u32::try_from(half).unwrap_or(0));
        let key = [low, high];
        Self::of_key(if high == 0 { &key[..1] } else { &key })
    }

    fn of_key(key: &[u32]) -> Self {
        let mut state = [0u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            state[i] = scrambled(state[i - 1], 1_812_433_253).wrapping_add(u32::try_from(i).unwrap_or(0));
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let index = u32::try_from(j).unwrap_or(0);
            state[i] = (state[i] ^ scrambled(state[i - 1], 1_664_525)).wrapping_add(key[j]).wrapping_add(index);
            i = next(i, &mut state);
            j = (j + 1) % key.len();
        }
        for _ in 1..N {
            let index = u32::try_from(i).unwrap_or(0);
            state[i] = (state[i] ^ scrambled(state[i - 1], 1_566_083_941)).wrapping_sub(index);
            i = next(i, &mut state);
        }
        state[0] = 0x8000_0000;
        Self { state, at: N }
    }

    fn number(&mut self) -> u32 {
        if self.at >= N {
            self.refill();
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn refill(&mut self) {
        for k in 0..N {
            let y = (self.state[k] & 0x8000_0000) | (self.state[(k + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[k] = self.state[(k + M) % N] ^ (y >> 1) ^ odd;
        }
        self.at = 0;
    }

    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let found = (self.number() >> (32 - bits.clamp(1, 32))) as usize;
            if found < n {
                return found;
            }
        }
    }

    /// `sample(range(n), k)`: k different numbers below n; none if there are not as many.
    pub(super) fn sample(&mut self, n: usize, k: usize) -> Option<Vec<usize>> {
        if k > n {
            return None;
        }
        if n <= pool_size(k) {
            let mut pool: Vec<usize> = (0..n).collect();
            return Some((0..k).map(|i| self.take(&mut pool, n - i)).collect());
        }
        let mut drawn = Vec::with_capacity(k);
        while drawn.len() < k {
            let found = self.below(n);
            if !drawn.contains(&found) {
                drawn.push(found);
            }
        }
        Some(drawn)
    }

    /// One of the first `left` of the pool, whose place the last of them takes.
    fn take(&mut self, pool: &mut [usize], left: usize) -> usize {
        let at = self.below(left);
        let found = pool[at];
        pool[at] = pool[left - 1];
        found
    }
}

fn scrambled(before: u32, factor: u32) -> u32 {
    (before ^ (before >> 30)).wrapping_mul(factor)
}

fn next(i: usize, state: &mut [u32; N]) -> usize {
    if i + 1 < N {
        return i + 1;
    }
    state[0] = state[N - 1];
    1
}

/// Up to this many, `CPython` draws from a list that it shortens; from more, it draws until the number is new.
fn pool_size(k: usize) -> usize {
    let mut power = 1;
    while k > 5 && power < 3 * k {
        power *= 4;
    }
    if k > 5 { 21 + power } else { 21 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_those_of_python() {
        // python3 -c "import random; r = random.Random(1234); print(r.sample(range(10), 5), r.sample(range(1000), 6), ...)"
        let mut random = Mersenne::new(1234);
        assert_eq!(random.sample(10, 5).unwrap(), SAMPLES[0]);
        assert_eq!(random.sample(1000, 6).unwrap(), SAMPLES[1]);
        assert_eq!(random.sample(21, 5).unwrap(), SAMPLES[2]);
        assert_eq!(random.sample(100, 8).unwrap(), SAMPLES[3]);
        assert_eq!(random.sample(3, 4), None);
        assert_eq!(Mersenne::new(0).sample(50, 3).unwrap(), SAMPLES[4]);
        assert_eq!(Mersenne::new(1 << 40).sample(50, 3).unwrap(), SAMPLES[5]);
    }

    const SAMPLES: [&[usize]; 6] = [
        &[7, 1, 0, 9, 4],
        &[35, 687, 709, 85, 100, 784],
        &[11, 7, 0, 18, 17],
        &[44, 82, 79, 61, 78, 59, 19, 11],
        &[24, 48, 26],
        &[6, 22, 42],
    ];
}
