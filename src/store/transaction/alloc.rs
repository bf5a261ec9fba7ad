//! The zone's allocator: small objects in pages of one size class, large ones in runs of pages.
//!
//! Classes go in steps of 16 bytes up to 512, then by how many fit a page. When no page is free, an object
//! takes a place of a larger class, so that a zone that was full is usable again wherever something went.
//! What is in use is a bitmap in the page's descriptor, outside the page; objects carry no header. All of it changes through the
//! journal, so an allocation belongs to its transaction and disappears with it.

use crate::store::ground::layout::{Allocated, CLASSES, PAGE, page_ref};
use crate::store::ground::memory::Ref;
use crate::store::transaction::Transaction;
use crate::store::transaction::pages::{PageState, pages_for};

/// The zone has no room for what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not enough shared memory")]
pub struct Full;

const STEP: usize = 16;
const SMALLEST: usize = 32;
const STEPPED: usize = 31;
const LARGE_CLASSES: [usize; CLASSES - STEPPED] = [576, 672, 816, 1024, 1360, 2048];

/// Largest object that shares a page.
pub const LARGEST_SMALL: usize = 2048;

/// Bytes of the objects of a class.
pub fn class_size(class: usize) -> usize {
    if class < STEPPED { SMALLEST + class * STEP } else { LARGE_CLASSES[class - STEPPED] }
}

/// Objects of a class in a page.
pub fn class_count(class: usize) -> usize {
    PAGE / class_size(class)
}

fn class_of(size: usize) -> usize {
    if size <= 512 {
        size.max(SMALLEST).div_ceil(STEP) - SMALLEST / STEP
    } else {
        STEPPED + LARGE_CLASSES.iter().position(|&class| class >= size).unwrap_or(0)
    }
}

/// Zone bytes that an object of `size` bytes takes; more if it had to take a larger place.
pub fn footprint(size: usize) -> usize {
    if size <= LARGEST_SMALL { class_size(class_of(size)) } else { pages_for(size) * PAGE }
}

impl Transaction<'_> {
    /// Takes room for `size` bytes. Its content is whatever was there before.
    pub fn allocate<T: Allocated>(&self, size: usize) -> Result<Ref<T>, Full> {
        self.note_allocation();
        let (at, bytes) = if size <= LARGEST_SMALL {
            let (class, page) = self.page_with_room(class_of(size))?;
            if T::FIXED {
                self.add_fixed(page);
            }
            (self.take_place(page, class), class_size(class))
        } else {
            let pages = pages_for(size);
            let page = self.take_run(pages).ok_or(Full)?;
            self.set(&self.page(page).free, u32::from(T::FIXED));
            (page_ref(self.geometry().plan().pages_at, page, 0), pages * PAGE)
        };
        self.add64(&self.root().used, bytes as u64);
        Ok(at)
    }

    /// Gives an object back.
    pub fn free<T: Allocated>(&self, object: Ref<T>) {
        self.note_free();
        let within = object.offset() - self.geometry().plan().pages_at;
        let (page, offset) = (within / PAGE, within % PAGE);
        let bytes = match self.page(page).page_state() {
            PageState::Run(n) if offset == 0 => {
                self.give_run(page, n);
                n * PAGE
            }
            PageState::Small(class) if offset % class_size(class) == 0 => {
                if T::FIXED {
                    self.sub_fixed(page);
                }
                self.free_small(page, class, offset / class_size(class));
                class_size(class)
            }
            other => panic!("freeing {object:?} in a page that is {other:?}"),
        };
        self.sub64(&self.root().used, bytes as u64);
    }

    /// A page with a free place of this class, or of a larger one if there is no free page.
    fn page_with_room(&self, class: usize) -> Result<(usize, usize), Full> {
        let partial = |class: usize| self.root().partial[class].get().checked_sub(1);
        if let Some(page) = partial(class) {
            return Ok((class, page as usize));
        }
        if let Some(page) = self.take_run(1) {
            let info = self.page(page);
            self.set_page_state(page, PageState::Small(class));
            self.set(&info.free, class_count(class) as u32);
            info.used.iter().for_each(|word| self.set(word, 0));
            self.link_page(&self.root().partial[class], info, page);
            return Ok((class, page));
        }
        let mut larger = class + 1..=self.largest_place_for(class);
        let larger = larger.find_map(|class| Some((class, partial(class)? as usize)));
        larger.ok_or(Full)
    }

    /// The largest class that an object takes a place of. Where messages can make room, much room is not
    /// spent on little.
    fn largest_place_for(&self, class: usize) -> usize {
        match self.may_evict() {
            true => class_of((2 * class_size(class)).min(LARGEST_SMALL)),
            false => CLASSES - 1,
        }
    }

    /// Whether there could be room for `size` bytes if no message were in the zone. Looks at every page
    /// at worst.
    pub fn could_fit(&self, size: usize) -> bool {
        let class = (size <= LARGEST_SMALL).then(|| class_of(size));
        let needed = pages_for(size);
        let (mut page, mut run) = (0, 0);
        while page < self.geometry().plan().pages && run < needed {
            let (len, clear) = match self.page(page).page_state() {
                PageState::Free(n) => (n, true),
                PageState::Run(n) => (n, self.page(page).free.get() == 0),
                PageState::Small(c) => {
                    let fixed = self.fixed(page);
                    if class.is_some_and(|class| class <= c) && fixed < class_count(c) {
                        return true;
                    }
                    (1, fixed == 0)
                }
                other => unreachable!("page {page} begins a run as {other:?}"),
            };
            run = if clear { run + len } else { 0 };
            page += len;
        }
        run >= needed
    }

    fn take_place<T>(&self, page: usize, class: usize) -> Ref<T> {
        let info = self.page(page);
        let (i, word) = info
            .used
            .iter()
            .enumerate()
            .find(|(_, word)| word.get() != u32::MAX)
            .expect("a page in the partial list has room");
        let bit = word.get().trailing_ones() as usize;
        self.set(word, word.get() | 1 << bit);
        self.sub(&info.free, 1);
        if info.free.get() == 0 {
            self.unlink_page(&self.root().partial[class], info);
        }
        page_ref(self.geometry().plan().pages_at, page, (i * 32 + bit) * class_size(class))
    }

    fn free_small(&self, page: usize, class: usize, index: usize) {
        let info = self.page(page);
        let partial = &self.root().partial[class];
        let word = &info.used[index / 32];
        let bit = 1 << (index % 32);
        assert!(word.get() & bit != 0, "object {index} of page {page} freed twice");
        self.set(word, word.get() & !bit);
        if info.free.get() == 0 {
            self.link_page(partial, info, page);
        }
        self.add(&info.free, 1);
        if info.free.get() as usize == class_count(class) {
            self.unlink_page(partial, info);
            self.give_run(page, 1);
        }
    }
}
