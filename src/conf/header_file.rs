//! `push_stream_header_template_file`: the file is read whole, byte for byte, when the
//! configuration is read (DIR-122, DIR-124).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Why the file cannot serve as a header (DIR-87).
#[derive(Debug, thiserror::Error)]
pub enum HeaderFileError {
    #[error("unable to open file \"{path}\" for header template ({cause})")]
    Open { path: String, cause: io::Error },
    #[error("unable to read data from file \"{path}\" for header template ({cause})")]
    Read { path: String, cause: io::Error },
}

/// The content of the header file at `path`.
pub fn read(path: &Path) -> Result<Vec<u8>, HeaderFileError> {
    let shown = || path.display().to_string();
    let mut file =
        File::open(path).map_err(|cause| HeaderFileError::Open { path: shown(), cause })?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)
        .map_err(|cause| HeaderFileError::Read { path: shown(), cause })?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_byte_for_byte() {
        let path = std::env::temp_dir().join(format!("header-template-{}", std::process::id()));
        std::fs::write(&path, b"<html>\0\n\n").unwrap();
        let content = read(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(content.unwrap(), b"<html>\0\n\n");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = read(Path::new("/nonexistent/header.html")).unwrap_err().to_string();
        assert!(
            missing.starts_with("unable to open file \"/nonexistent/header.html\" for header"),
            "{missing}"
        );
        let directory = read(Path::new("/")).unwrap_err().to_string();
        assert!(directory.contains("unable to read data from file \"/\" for"), "{directory}");
    }
}
