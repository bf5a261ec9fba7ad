//! Runs of pages: the lower half of the zone's allocator.
//!
//! The first and the last page of every run say what the run is, so a freed run finds free neighbours
//! and joins them. Free runs hang in bins by length: exact up to 31 pages, then four bins per power of
//! two. A search tries its own bin a little and then takes from the next fuller one, so its cost does
//! not grow with the number of runs, but for the last look through its own bin before it gives up.

use crate::store::ground::layout::{BINS, PAGE, PageInfo};
use crate::store::transaction::Transaction;

const FREE: u32 = 1;
const FREE_LAST: u32 = 2;
const SMALL: u32 = 3;
const RUN: u32 = 4;
const INNER: u32 = 5;
/// Above kind and class of a page of small objects: how many of them are no messages.
const FIXED_SHIFT: u32 = 16;

/// Runs looked at in the bin of the wanted length itself, where not all are long enough.
const TRIES: usize = 32;

/// What a page says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageState {
    /// First page of a free run of this many pages.
    Free(usize),
    /// Last page of a free run of this many pages, more than one.
    FreeLast(usize),
    /// Holds small objects of this size class.
    Small(usize),
    /// First page of an allocated run of this many pages.
    Run(usize),
    /// Last page of an allocated run; or nothing, inside any run.
    Inner,
}

impl PageInfo {
    pub fn page_state(&self) -> PageState {
        let word = self.state.get();
        let n = (word >> 8) as usize;
        match word & 0xff {
            FREE => PageState::Free(n),
            FREE_LAST => PageState::FreeLast(n),
            SMALL => PageState::Small(n & 0xff),
            RUN => PageState::Run(n),
            _ => PageState::Inner,
        }
    }
}

fn word(state: PageState) -> u32 {
    let (kind, n) = match state {
        PageState::Free(n) => (FREE, n),
        PageState::FreeLast(n) => (FREE_LAST, n),
        PageState::Small(n) => (SMALL, n),
        PageState::Run(n) => (RUN, n),
        PageState::Inner => (INNER, 0),
    };
    kind | (n as u32) << 8
}

/// Pages that hold `size` bytes.
pub fn pages_for(size: usize) -> usize {
    size.div_ceil(PAGE)
}

fn bin_of(pages: usize) -> usize {
    if pages < 32 {
        return pages;
    }
    let log = pages.ilog2() as usize;
    (32 + (log - 5) * 4 + (pages >> (log - 2) & 3)).min(BINS - 1)
}

impl Transaction<'_> {
    pub fn page(&self, page: usize) -> &PageInfo {
        &self.geometry().page_table(self.memory())[page]
    }

    pub fn set_page_state(&self, page: usize, state: PageState) {
        self.set(&self.page(page).state, word(state));
    }

    /// Objects of a page of small ones that are no messages.
    pub fn fixed(&self, page: usize) -> usize {
        (self.page(page).state.get() >> FIXED_SHIFT) as usize
    }

    pub fn add_fixed(&self, page: usize) {
        self.add(&self.page(page).state, 1 << FIXED_SHIFT);
    }

    pub fn sub_fixed(&self, page: usize) {
        self.sub(&self.page(page).state, 1 << FIXED_SHIFT);
    }

    /// Makes the whole page area one free run. For zone creation.
    pub fn free_all_pages(&self, pages: usize) {
        self.add_free(0, pages);
        self.set(&self.root().free_pages, pages as u32);
    }

    /// Takes a run of `n` pages; its first page says [`PageState::Run`].
    pub fn take_run(&self, n: usize) -> Option<usize> {
        let (page, len) = self.find_run(n)?;
        self.remove_free(page, len);
        if len > n {
            self.add_free(page + n, len - n);
        }
        self.set_page_state(page, PageState::Run(n));
        if n > 1 {
            self.set_page_state(page + n - 1, PageState::Inner);
        }
        self.sub(&self.root().free_pages, n as u32);
        Some(page)
    }

    /// Gives a run back, joining it with free neighbours.
    pub fn give_run(&self, page: usize, n: usize) {
        self.add(&self.root().free_pages, n as u32);
        let (mut first, mut len) = (page, n);
        let after = (page + n < self.geometry().plan().pages).then(|| self.page(page + n));
        if let Some(PageState::Free(next)) = after.map(PageInfo::page_state) {
            self.remove_free(page + n, next);
            len += next;
        }
        if page > 0 {
            let before = match self.page(page - 1).page_state() {
                PageState::Free(1) => 1,
                PageState::FreeLast(n) => n,
                _ => 0,
            };
            if before > 0 {
                self.remove_free(page - before, before);
                first -= before;
                len += before;
            }
        }
        self.add_free(first, len);
    }

    /// Pages of the longest free run (within the precision of the bins' order, exact).
    pub fn longest_free_run(&self) -> usize {
        let Some(bin) = (0..BINS).rev().find(|&bin| self.root().runs[bin].get() != 0) else {
            return 0;
        };
        self.bin(bin).take(TRIES).map(|(_, len)| len).max().unwrap_or(0)
    }

    pub fn bin(&self, bin: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut next = self.root().runs[bin].get();
        std::iter::from_fn(move || {
            let page = next.checked_sub(1)? as usize;
            next = self.page(page).next.get();
            match self.page(page).page_state() {
                PageState::Free(len) => Some((page, len)),
                other => unreachable!("page {page} in a bin of free runs is {other:?}"),
            }
        })
    }

    fn find_run(&self, n: usize) -> Option<(usize, usize)> {
        let own = bin_of(n);
        if let Some(found) = self.bin(own).take(TRIES).find(|&(_, len)| len >= n) {
            return Some(found);
        }
        let fuller = (own + 1..BINS).find(|&bin| self.root().runs[bin].get() != 0);
        match fuller {
            Some(bin) => self.bin(bin).next(),
            None => self.bin(own).find(|&(_, len)| len >= n),
        }
    }

    fn add_free(&self, page: usize, len: usize) {
        let head = &self.root().runs[bin_of(len)];
        let info = self.page(page);
        self.set_page_state(page, PageState::Free(len));
        if len > 1 {
            self.set_page_state(page + len - 1, PageState::FreeLast(len));
        }
        self.link_page(head, info, page);
    }

    fn remove_free(&self, page: usize, len: usize) {
        self.unlink_page(&self.root().runs[bin_of(len)], self.page(page));
    }

    /// Puts a page at the head of a list of pages.
    pub fn link_page(
        &self,
        head: &crate::store::ground::memory::Cell32,
        info: &PageInfo,
        page: usize,
    ) {
        let old = head.get();
        self.set(&info.prev, 0);
        self.set(&info.next, old);
        if let Some(old) = old.checked_sub(1) {
            self.set(&self.page(old as usize).prev, page as u32 + 1);
        }
        self.set(head, page as u32 + 1);
    }

    /// Takes a page out of a list of pages.
    pub fn unlink_page(&self, head: &crate::store::ground::memory::Cell32, info: &PageInfo) {
        let (prev, next) = (info.prev.get(), info.next.get());
        match prev.checked_sub(1) {
            Some(prev) => self.set(&self.page(prev as usize).next, next),
            None => self.set(head, next),
        }
        if let Some(next) = next.checked_sub(1) {
            self.set(&self.page(next as usize).prev, prev);
        }
    }
}
