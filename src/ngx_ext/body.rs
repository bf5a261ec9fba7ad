//! Request bodies.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

use nginx_sys::{ngx_buf_t, ngx_http_request_t};

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
