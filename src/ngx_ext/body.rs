//! Request bodies.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

use nginx_sys::{
    ngx_buf_t, ngx_http_request_body_t, ngx_http_request_t, ngx_pfree, ngx_pool_run_cleanup_file,
};

/// What is called when a body was read.
pub type BodyHandler = unsafe extern "C" fn(*mut ngx_http_request_t);

/// The pieces of a body that was read completely, in order; what nginx moved to a temporary file
/// is read from there. Without a body there are none, and no piece is empty.
///
/// # Safety
/// `r` must be a live request whose body was read; the pieces live as long as it does.
pub unsafe fn pieces<'r>(r: *const ngx_http_request_t) -> io::Result<Vec<Cow<'r, [u8]>>> {
    let mut pieces = Vec::new();
    // SAFETY: the caller vouches for the request; the chain and its buffers are nginx's.
    unsafe {
        let Some(body) = (*r).request_body.as_ref() else { return Ok(pieces) };
        let mut link = body.bufs;
        while let Some(chain) = link.as_ref() {
            let piece = piece(&*chain.buf)?;
            if !piece.is_empty() {
                pieces.push(piece);
            }
            link = chain.next;
        }
    }
    Ok(pieces)
}

/// # Safety
/// As [`pieces`], for one of its buffers.
unsafe fn piece<'r>(buf: &ngx_buf_t) -> io::Result<Cow<'r, [u8]>> {
    if buf.in_file() == 0 {
        // SAFETY: a buffer in memory holds the bytes from `pos` to `last`.
        return Ok(Cow::Borrowed(unsafe {
            match buf.last.offset_from(buf.pos) {
                len if len > 0 => std::slice::from_raw_parts(buf.pos, len as usize),
                _ => &[],
            }
        }));
    }
    let len = usize::try_from(buf.file_last - buf.file_pos)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len)?;
    bytes.resize(len, 0);
    // SAFETY: nginx keeps the file open while the request lives, and goes on owning it.
    let file = unsafe { ManuallyDrop::new(File::from_raw_fd((*buf.file).fd)) };
    file.read_exact_at(&mut bytes, buf.file_pos as u64)?;
    Ok(Cow::Owned(bytes))
}

/// Gives back what a body holds that was read for `handler`, completely: the temporary file and the
/// buffer. What another module read is left alone: it may be sending it elsewhere meanwhile. To all who
/// look later the request has an empty body.
///
/// # Safety
/// `r` must be a live request, with no piece of its body in use.
pub unsafe fn forget(r: *mut ngx_http_request_t, handler: BodyHandler) {
    // SAFETY: the caller vouches for the request; nginx calls `post_handler` once nothing of its own needs
    // the body any more.
    unsafe {
        let Some(body) = (*r).request_body.as_mut() else { return };
        let ours = body.post_handler.is_some_and(|then| std::ptr::fn_addr_eq(then, handler));
        if !ours || body.bufs.is_null() {
            return;
        }
        body.bufs = std::ptr::null_mut();
        // A filter's subrequest that is passed on would announce it otherwise.
        (*r).headers_in.content_length_n = 0;
        close_file(r, body);
        if let Some(buf) = body.buf.as_mut() {
            // What lies in a block of the pool, or in the buffer of the request's head, stays there.
            ngx_pfree((*r).pool, buf.start.cast());
            body.buf = std::ptr::null_mut();
        }
    }
}

/// # Safety
/// As [`forget`], for a body whose chain of buffers is gone.
unsafe fn close_file(r: *mut ngx_http_request_t, body: &mut ngx_http_request_body_t) {
    const NONE: i32 = -1;
    // SAFETY: the file belongs to the request's pool, which does not close it a second time. It knows
    // another way to end for `client_body_in_file_only clean`, and keeps that one until then.
    unsafe {
        if let Some(temp) = body.temp_file.as_mut() {
            if temp.file.fd != NONE {
                ngx_pool_run_cleanup_file((*r).pool, temp.file.fd);
                temp.file.fd = NONE;
            }
        }
    }
}
