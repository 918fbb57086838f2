//! Work on all threads at once, by the threads that candle's own operations use: two pools would take each other's
//! processors, since both wait awake for a while.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use candle_core::utils::barrier_pool;

use super::shared::{Fresh, Parts};

/// Numbers of a result below which one thread is faster than two that have to meet.
const ALONE: usize = 8192;
/// Numbers that are cleared together before they are written: the first cache still holds them then.
const CLEARED: usize = 4096;

/// Does the work on ranges that make up `0..n`, in any order; what is one piece needs no other thread.
pub fn ranges(n: usize, work: impl Fn(Range<usize>) + Sync) {
    if n < 2 { work(0..n) } else { barrier_pool().execute_chunked(n, work) }
}

/// Does the work on each item, in any order.
pub fn each<T: Send>(items: Vec<T>, work: impl Fn(T) + Sync) {
    if items.len() < 2 {
        return items.into_iter().for_each(work);
    }
    let slots: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    ranges(slots.len(), |range| {
        for slot in &slots[range] {
            let item = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            item.into_iter().for_each(&work);
        }
    });
}

/// What `work` makes of each of `0..n`, in order.
pub fn map<T: Send>(n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let made: Mutex<Vec<(usize, Vec<T>)>> = Mutex::new(Vec::new());
    ranges(n, |range| {
        let part = (range.start, range.map(&work).collect());
        made.lock().unwrap_or_else(PoisonError::into_inner).push(part);
    });
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_unstable_by_key(|&(start, _)| start);
    made.into_iter().flat_map(|(_, part)| part).collect()
}

/// Fills `out` in rows of `width`: `work` gets some neighbouring rows and the number of the first.
pub fn fill_rows(out: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if width == 0 || out.len() < ALONE {
        return work(0, out);
    }
    let n_rows = out.len() / width;
    let parts = Parts::new(out);
    ranges(n_rows, |rows| {
        #[expect(unsafe_code, reason = "each thread has rows of its own")]
        let out = unsafe { parts.take(rows.start * width..rows.end * width) };
        work(rows.start, out);
    });
}

/// Rows of `width`, `len` numbers in all, of zeros until `work` gets some neighbouring ones and the number of the first.
pub fn new_rows(len: usize, width: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let [out] = new_rows_of(len, width, |first, [out]| work(first, out));
    out
}

/// The same of several results of one shape, whose rows are worked on together.
pub fn new_rows_of<const N: usize>(
    len: usize,
    width: usize,
    work: impl Fn(usize, [&mut [f32]; N]) + Sync,
) -> [Vec<f32>; N] {
    let n_rows = len.checked_div(width).unwrap_or(0);
    if len < ALONE || n_rows * width != len {
        let mut out = [(); N].map(|()| vec![0.0; len]);
        work(0, out.each_mut().map(Vec::as_mut_slice));
        return out;
    }
    let memory = [(); N].map(|()| Fresh::new(len));
    let step = (CLEARED / width).max(1);
    ranges(n_rows, |rows| {
        for first in rows.clone().step_by(step) {
            let end = rows.end.min(first + step);
            #[expect(unsafe_code, reason = "each thread has rows of its own")]
            let out = memory.each_ref().map(|memory| unsafe { memory.take(first * width..end * width) });
            work(first, out);
        }
    });
    #[expect(unsafe_code, reason = "the ranges make up all rows")]
    memory.map(|memory| unsafe { memory.done() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "small whole numbers")]
    fn every_item_and_every_row_is_worked_on_once() {
        for n in [0, 1, 2, 100] {
            let done = Mutex::new(vec![0; n]);
            each((0..n).collect(), |item| done.lock().unwrap()[item] += 1);
            assert!(done.into_inner().unwrap().iter().all(|&times| times == 1));
        }
        assert_eq!(map(1000, |i| 2 * i), (0..1000).map(|i| 2 * i).collect::<Vec<_>>());
        for n_rows in [0, 1, 3, 5000] {
            let mut out = vec![0.0; 7 * n_rows];
            fill_rows(&mut out, 7, |first, rows| {
                for (at, row) in rows.chunks_mut(7).enumerate() {
                    for x in row {
                        *x += (first + at) as f32;
                    }
                }
            });
            assert!(out.iter().enumerate().all(|(i, &x)| x == (i / 7) as f32), "{n_rows}");
            let new = new_rows(7 * n_rows, 7, |first, rows| {
                for (at, row) in rows.chunks_mut(7).enumerate() {
                    for x in row {
                        *x += (first + at) as f32;
                    }
                }
            });
            assert_eq!(new, out);
        }
    }
}
