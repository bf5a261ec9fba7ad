//! nginx's regular expressions (PCRE), case-sensitive.

use nginx_sys::ngx_conf_t;

#[cfg(ngx_feature = "pcre")]
pub use with_pcre::Regex;
#[cfg(not(ngx_feature = "pcre"))]
pub use without_pcre::Regex;

#[cfg(ngx_feature = "pcre")]
mod with_pcre {
    use std::ptr::NonNull;

    use nginx_sys::{
        NGX_MAX_CONF_ERRSTR, ngx_array_t, ngx_palloc, ngx_regex_compile, ngx_regex_compile_t,
        ngx_regex_elt_t, ngx_regex_exec_array, ngx_str_t,
    };
    use ngx::core::Status;

    use super::ngx_conf_t;
    use crate::ngx_ext::log::cycle_log;
    use crate::ngx_ext::str;

    /// A compiled expression; it lives in the pool of the configuration it was compiled for.
    #[derive(Debug)]
    pub struct Regex(NonNull<ngx_regex_elt_t>);

    impl Regex {
        /// Compiles `source`; the error is nginx's reason.
        ///
        /// # Safety
        /// `cf` must be the configuration being read. The expression must not be used once the
        /// pool of that configuration is gone.
        pub unsafe fn compile(cf: *mut ngx_conf_t, source: &[u8]) -> Result<Self, String> {
            const NO_MEMORY: &str = "no memory";
            // PCRE before version 2 takes a string that ends in NUL, and nginx logs it as one.
            let source_and_nul = [source, b"\0"].concat();
            let mut reason = [0u8; NGX_MAX_CONF_ERRSTR as usize];
            // SAFETY: the caller vouches for `cf`; the copy of the source and the element live in
            // its pool, `reason` outlives the call that writes to it.
            unsafe {
                let mut pattern = str::copy((*cf).pool, &source_and_nul).ok_or(NO_MEMORY)?;
                pattern.len = source.len();
                let mut compile: ngx_regex_compile_t = std::mem::zeroed();
                compile.pattern = pattern;
                compile.pool = (*cf).pool;
                compile.err = ngx_str_t { len: reason.len(), data: reason.as_mut_ptr() };
                if !Status(ngx_regex_compile(&mut compile)).is_ok() {
                    return Err(String::from_utf8_lossy(compile.err.as_bytes()).into_owned());
                }
                let element = ngx_palloc((*cf).pool, size_of::<ngx_regex_elt_t>());
                let element = NonNull::new(element.cast::<ngx_regex_elt_t>()).ok_or(NO_MEMORY)?;
                element.write(ngx_regex_elt_t { regex: compile.regex, name: pattern.data });
                Ok(Self(element))
            }
        }

        /// Whether the expression is found anywhere in `text`. One that takes too long to decide
        /// counts as not found, and nginx logs it.
        pub fn is_match(&self, text: &[u8]) -> bool {
            let mut text = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
            // SAFETY: nginx reads the text and the array of one element, neither of which it
            // keeps; `compile` demands that the expression is not used after its pool.
            unsafe {
                let mut array: ngx_array_t = std::mem::zeroed();
                array.elts = self.0.as_ptr().cast();
                array.nelts = 1;
                Status(ngx_regex_exec_array(&mut array, &mut text, cycle_log())).is_ok()
            }
        }
    }
}

#[cfg(not(ngx_feature = "pcre"))]
mod without_pcre {
    use super::ngx_conf_t;

    /// There are none.
    #[derive(Debug)]
    pub enum Regex {}

    impl Regex {
        /// Refuses every expression.
        ///
        /// # Safety
        /// None is needed; the signature is that of a build with PCRE.
        pub unsafe fn compile(_: *mut ngx_conf_t, _: &[u8]) -> Result<Self, String> {
            Err("nginx was built without PCRE".into())
        }

        pub fn is_match(&self, _: &[u8]) -> bool {
            match *self {}
        }
    }
}
