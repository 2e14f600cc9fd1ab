//! The file `kill-matrix.json`: never half written, never that of a former proof.

use std::fs;
use std::path::{Path, PathBuf};

use harness::error::Error;
use harness::prove::KillMatrix;

/// The file below the report's folder.
const MATRIX: &str = "kill-matrix.json";

/// Creates the folder and removes the matrix of a former proof.
pub(super) fn prepare(folder: &Path) -> Result<(), Error> {
    let failed =
        |error: std::io::Error| Error::SetUp(format!("cannot use `{}`: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    match fs::remove_file(folder.join(MATRIX)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes the matrix beside and renames it.
pub(super) fn write(folder: &Path, matrix: &KillMatrix) -> Result<(), Error> {
    let path: PathBuf = folder.join(MATRIX);
    let part = folder.join(format!("{MATRIX}.part"));
    let bytes = matrix.to_json()?;
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
    written.map_err(|error| Error::SetUp(format!("cannot write `{}`: {error}", path.display())))
}
