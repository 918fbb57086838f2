//! Memory that several threads write different parts of.

#![expect(unsafe_code, reason = "threads share a slice of which each writes places that no other touches")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

use super::lanes::LANES;

/// A slice that is handed out in parts.
pub(super) struct Parts<'a, T> {
    at: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// a part is handed out as `&mut [T]` would be
unsafe impl<T: Send> Send for Parts<'_, T> {}
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    pub(super) const fn new(slice: &'a mut [T]) -> Self {
        Self { at: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// A part.
    ///
    /// # Safety
    /// No other part that is alive may overlap it.
    #[expect(clippy::mut_from_ref, reason = "that is what it is for")]
    pub(super) unsafe fn take(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "a part of the slice");
        unsafe { std::slice::from_raw_parts_mut(self.at.add(range.start), range.len()) }
    }
}

/// Memory whose parts are cleared by the thread that takes them, which has them in its cache then.
pub(super) struct Fresh<T> {
    memory: Vec<T>,
    at: *mut T,
    len: usize,
}

// a part is handed out as `&mut [T]` would be
unsafe impl<T: Send> Send for Fresh<T> {}
unsafe impl<T: Send> Sync for Fresh<T> {}

impl<T: Copy + Default> Fresh<T> {
    pub(super) fn new(len: usize) -> Self {
        let mut memory = Vec::with_capacity(len);
        Self { at: memory.as_mut_ptr(), memory, len }
    }

    /// A part, of zeros.
    ///
    /// # Safety
    /// No other part that was taken may overlap it.
    #[expect(clippy::mut_from_ref, reason = "that is what it is for")]
    pub(super) unsafe fn take(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "a part of the memory");
        unsafe {
            let part = self.at.add(range.start);
            (0..range.len()).for_each(|i| part.add(i).write(T::default()));
            std::slice::from_raw_parts_mut(part, range.len())
        }
    }

    /// A part that nobody has written.
    ///
    /// # Safety
    /// No other part that was taken may overlap it.
    #[expect(clippy::mut_from_ref, reason = "that is what it is for")]
    pub(super) unsafe fn take_unwritten(&self, range: Range<usize>) -> &mut [MaybeUninit<T>] {
        assert!(range.start <= range.end && range.end <= self.len, "a part of the memory");
        unsafe { std::slice::from_raw_parts_mut(self.at.add(range.start).cast(), range.len()) }
    }

    /// All parts.
    ///
    /// # Safety
    /// All of it was taken, and what was taken unwritten has been written.
    pub(super) unsafe fn done(mut self) -> Vec<T> {
        unsafe { self.memory.set_len(self.len) };
        self.memory
    }
}

/// Some rows and columns of a matrix that nobody has written yet, filled by several threads.
pub(super) struct Filling<'a> {
    at: *mut f32,
    rows: Range<usize>,
    columns: Range<usize>,
    memory: PhantomData<&'a mut [f32]>,
}

// threads write different places
unsafe impl Send for Filling<'_> {}
unsafe impl Sync for Filling<'_> {}

impl Filling<'_> {
    /// Where a place is, and how many columns from there on there are of sixteen.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "part of a kernel")]
    fn place(&self, row: usize, column: usize) -> (*mut f32, usize) {
        assert!(self.rows.contains(&row) && self.columns.contains(&column), "a place of the matrix");
        let (down, across) = (row - self.rows.start, column - self.columns.start);
        // the memory has a number for each place
        let at = unsafe { self.at.add(down * self.columns.len() + across) };
        (at, LANES.min(self.columns.end - column))
    }

    /// Up to sixteen columns of a row from `column` on.
    ///
    /// # Safety
    /// No other thread may read or write them.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "part of a kernel")]
    pub(super) unsafe fn write(&self, row: usize, column: usize, values: &[f32; LANES]) {
        let (to, n) = self.place(row, column);
        unsafe {
            if n == LANES {
                ptr::copy_nonoverlapping(values.as_ptr(), to, LANES);
            } else {
                ptr::copy_nonoverlapping(values.as_ptr(), to, n);
            }
        }
    }

    /// What was written there.
    ///
    /// # Safety
    /// It was written, and no other thread may write it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "part of a kernel")]
    pub(super) unsafe fn read(&self, row: usize, column: usize) -> [f32; LANES] {
        let (from, n) = self.place(row, column);
        let mut values = [0.0; LANES];
        unsafe {
            if n == LANES {
                ptr::copy_nonoverlapping(from, values.as_mut_ptr(), LANES);
            } else {
                ptr::copy_nonoverlapping(from, values.as_mut_ptr(), n);
            }
        }
        values
    }
}

/// The same rows of several matrices, `[row, column]` each, that `fill` writes wholly.
///
/// # Safety
/// `fill` must write every place.
pub(super) unsafe fn filled(
    vecs: &mut [Vec<f32>],
    rows: Range<usize>,
    columns: &[Range<usize>],
    fill: impl FnOnce(&[Filling<'_>]),
) {
    let filling = |(vec, columns): (&mut Vec<f32>, &Range<usize>)| {
        vec.clear();
        vec.reserve_exact(rows.len() * columns.len());
        Filling { at: vec.as_mut_ptr(), rows: rows.clone(), columns: columns.clone(), memory: PhantomData }
    };
    let fillings: Vec<Filling<'_>> = vecs.iter_mut().zip(columns).map(filling).collect();
    fill(&fillings);
    drop(fillings);
    for (vec, columns) in vecs.iter_mut().zip(columns) {
        unsafe { vec.set_len(rows.len() * columns.len()) };
    }
}
