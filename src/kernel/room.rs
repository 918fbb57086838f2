//! Memory that the numbers of many matrices lie in side by side.
//!
//! With a piece of its own for each matrix, parts of the system's large pages would stay empty. It must not know what the
//! numbers are.

#![expect(unsafe_code, reason = "threads fill places of one memory, of which each is handed out once")]

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::lanes::Line;

/// Lines of a large page, 2 MiB.
const PAGE: usize = (2 << 20) / size_of::<Line<u32>>();

/// Memory for some matrices. What does not fit gets memory of its own.
#[derive(Clone, Default)]
pub struct Room(Option<Arc<Memory>>);

pub(super) struct Memory {
    /// Of which nothing counts as written.
    lines: Vec<Line<u32>>,
    at: *mut Line<u32>,
    used: AtomicUsize,
}

// a place is handed out once, to be written, and read afterwards
unsafe impl Send for Memory {}
unsafe impl Sync for Memory {}

/// What a line consists of.
///
/// # Safety
/// As large as `u32`, aligned like it, and of any bits.
pub(super) unsafe trait Word: Copy + Default {}

unsafe impl Word for u32 {}
unsafe impl Word for f32 {}

impl Room {
    /// Room for so many bytes, of which those that are never used cost nothing; none where they are not to be had.
    pub fn of(n_bytes: u64) -> Self {
        let n_bytes = usize::try_from(n_bytes).unwrap_or(usize::MAX);
        let n = n_bytes.div_ceil(size_of::<Line<u32>>()).checked_next_multiple_of(PAGE).unwrap_or(usize::MAX);
        let mut lines = Vec::new();
        if n == 0 || lines.try_reserve_exact(n).is_err() {
            return Self(None);
        }
        Self(Some(Arc::new(Memory { at: lines.as_mut_ptr(), lines, used: AtomicUsize::new(0) })))
    }

    /// `n` lines: zeros, and what `fill` makes of them.
    pub(super) fn lines<T: Word>(&self, n: usize, fill: impl FnOnce(&mut [Line<T>])) -> Lines<T> {
        let Some((memory, start)) = self.0.as_ref().and_then(|memory| Some((memory, memory.take(n)?))) else {
            let mut lines = vec![Line::default(); n];
            fill(&mut lines);
            return Lines::Own(lines);
        };
        // no other place overlaps it, and it is as long as was asked for; words of zeros are words of either kind
        fill(unsafe {
            let at = memory.at.add(start);
            at.write_bytes(0, n);
            std::slice::from_raw_parts_mut(at.cast(), n)
        });
        Lines::Shared { memory: Arc::clone(memory), start, n }
    }
}

impl Memory {
    /// Where a place of `n` lines begins that nobody else has, if there is one.
    fn take(&self, n: usize) -> Option<usize> {
        let end = |used: usize| used.checked_add(n).filter(|&end| end <= self.lines.capacity());
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end).ok()
    }
}

/// Lines of a matrix.
pub(super) enum Lines<T> {
    Own(Vec<Line<T>>),
    /// In memory that others lie in as well.
    Shared {
        memory: Arc<Memory>,
        start: usize,
        n: usize,
    },
}

impl<T: Word> Deref for Lines<T> {
    type Target = [Line<T>];

    fn deref(&self) -> &[Line<T>] {
        match self {
            Self::Own(lines) => lines,
            // they were written when the place was handed out, and nobody writes them again
            Self::Shared { memory, start, n } => unsafe {
                std::slice::from_raw_parts(memory.at.add(*start).cast(), *n)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_do_not_overlap_and_what_does_not_fit_has_its_own() {
        let room = Room::of(1);
        let fill = |x: u32| move |lines: &mut [Line<u32>]| lines.iter_mut().for_each(|line| line.0[1] = x);
        let sizes = [0, 1, 100, PAGE / 2, PAGE / 2, PAGE / 4];
        let all: Vec<Lines<u32>> = (0..).zip(sizes).map(|(i, n)| room.lines(n, fill(i))).collect();
        let floats = room.lines(3, |lines: &mut [Line<f32>]| lines[2].0[15] = -1.5);
        drop(room);
        for ((i, n), lines) in (0..).zip(sizes).zip(&all) {
            assert_eq!(lines.len(), n);
            assert!(lines.iter().all(|line| line.0[0] == 0 && line.0[1] == i), "{i}");
        }
        let is_own: Vec<bool> = all.iter().map(|lines| matches!(lines, Lines::Own(_))).collect();
        assert_eq!(is_own, [false, false, false, false, true, false]);
        assert!(matches!(floats, Lines::Shared { .. }));
        assert_eq!((floats[2].0[15], floats[2].0[14], floats[0].0[15]), (-1.5, 0.0, 0.0));
    }

    #[test]
    fn no_room_is_room_for_nothing() {
        for room in [Room::default(), Room::of(0), Room::of(u64::MAX)] {
            assert!(matches!(room.lines(2, |_: &mut [Line<f32>]| ()), Lines::Own(_)));
        }
    }
}
